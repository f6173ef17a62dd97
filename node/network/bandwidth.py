"""How much each half of a cable carries, and both at once, by the distribution's own programs.

One end serves, the other sends: `ib_write_bw` (perftest) over RoCE where both ends have it, else
`iperf3` over TCP. A link may report 200 Gb/s and carry 13 (NVIDIA/dgx-spark-playbooks pull 108).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from node.errors import StepError
from node.host.paths import BANDWIDTH
from node.host.plain import as_list, as_mapping
from node.host.system import COMMAND_NOT_FOUND, CommandResult, System

Tool = Literal["ib_write_bw", "iperf3"]
TOOLS: tuple[Tool, ...] = ("ib_write_bw", "iperf3")
FIRST_PORT = 12000
"""As in NVIDIA's own measurements (performance_benchmarking_guide.md)."""

MESSAGE_BYTES, QUEUE_PAIRS, STREAMS = 1024**2, 4, 8
SERVE_LIMIT_S = 14.0
CONNECT_LIMIT_S = 3.0
RETRY_PAUSE_S = 0.2
_GBPS = re.compile(rf"^\s*{MESSAGE_BYTES}\s+[0-9]+\s+[0-9.]+\s+([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True)
class MeasuredHalf:
    """One half at this end. `hca` its RoCE device, null where it has none."""

    interface: str
    hca: str | None
    address: str
    peer_address: str


@dataclass(frozen=True)
class Bandwidth:
    """Gb/s of each half alone, by interface, and of both at once."""

    tool: Tool
    half_gbps: Mapping[str, float]
    both_gbps: float


def read_measured_gbps(system: System) -> dict[str, float]:
    """By cable, what both halves carried when this node sent over it last."""
    try:
        entries = [
            as_mapping(entry) for entry in as_list(json.loads(system.read(BANDWIDTH) or "[]"))
        ]
    except ValueError:
        return {}
    return {
        str(entry["cable"]): float(entry["both_gbps"])
        for entry in entries
        if "cable" in entry and isinstance(entry.get("both_gbps"), (int, float))
    }


def list_tools(system: System) -> list[Tool]:
    return [tool for tool in TOOLS if system.run([tool, "--version"]).code != COMMAND_NOT_FOUND]


def serve(system: System, tool: Tool, halves: Sequence[MeasuredHalf]) -> None:
    """One server for each run of the other end: first each half alone, then both at once."""
    commands = [
        build_server(tool, half, FIRST_PORT + number)
        for number, half in enumerate([*halves, *halves])
    ]
    with ThreadPoolExecutor(max_workers=len(commands)) as pool:
        list(pool.map(lambda command: system.run(command, timeout_s=SERVE_LIMIT_S), commands))


def send(system: System, tool: Tool, halves: Sequence[MeasuredHalf], seconds: int) -> Bandwidth:
    """Raises StepError where the other end does not answer."""
    alone = {
        half.interface: _run_client(system, tool, half, FIRST_PORT + number, seconds)
        for number, half in enumerate(halves)
    }
    with ThreadPoolExecutor(max_workers=len(halves)) as pool:
        runs = [
            pool.submit(_run_client, system, tool, half, FIRST_PORT + len(halves) + number, seconds)
            for number, half in enumerate(halves)
        ]
        return Bandwidth(tool, alone, round(sum(run.result() for run in runs), 1))


def build_server(tool: Tool, half: MeasuredHalf, port: int) -> list[str]:
    if tool == "iperf3":
        return ["iperf3", "-s", "-1", "-B", half.address, "-p", str(port)]
    return ["ib_write_bw", *_list_options(half, port)]


def build_client(tool: Tool, half: MeasuredHalf, port: int, seconds: int) -> list[str]:
    if tool == "iperf3":
        target = ["-c", half.peer_address, "-B", half.address, "-p", str(port)]
        return ["iperf3", *target, "-t", str(seconds), "-P", str(STREAMS), "-J"]
    return ["ib_write_bw", *_list_options(half, port), "-D", str(seconds), half.peer_address]


def _list_options(half: MeasuredHalf, port: int) -> list[str]:
    """The same at both ends, as perftest wants it; the client's duration holds for both."""
    sizes = ["-s", str(MESSAGE_BYTES), "-q", str(QUEUE_PAIRS)]
    return ["-d", str(half.hca), "-i", "1", "-p", str(port), "-F", "--report_gbits", *sizes]


def _run_client(system: System, tool: Tool, half: MeasuredHalf, port: int, seconds: int) -> float:
    """Tried until the server listens."""
    command, deadline = build_client(tool, half, port, seconds), time.monotonic() + CONNECT_LIMIT_S
    while True:
        result = system.run(command, timeout_s=seconds + CONNECT_LIMIT_S)
        gbps = parse_gbps(tool, result.out)
        if gbps is not None:
            return gbps
        if time.monotonic() > deadline:
            raise StepError(f"{tool} over {half.interface}: {parse_failure(result)}")
        time.sleep(RETRY_PAUSE_S)


def parse_failure(result: CommandResult) -> str:
    """Why a client ended: what iperf3's JSON calls its error, else its last line. Pure."""
    try:
        error = as_mapping(json.loads(result.out)).get("error")
    except ValueError:
        error = None
    if isinstance(error, str):
        return error[:200]
    lines = (result.err.strip() or result.out.strip() or "no output").splitlines()
    return lines[-1].strip()[:200]


def parse_gbps(tool: Tool, text: str) -> float | None:
    """What the client prints: the average column of perftest, or iperf3's JSON. Pure."""
    if tool == "ib_write_bw":
        match = _GBPS.search(text)
        return round(float(match.group(1)), 1) if match else None
    try:
        received = as_mapping(
            as_mapping(as_mapping(json.loads(text)).get("end")).get("sum_received")
        )
    except ValueError:
        return None
    bits = received.get("bits_per_second")
    return round(bits / 1e9, 1) if isinstance(bits, (int, float)) and bits > 0 else None
