"""`bandwidth REQUEST`: this end's part of measuring one cable, one line of JSON.

REQUEST is JSON: {"role": "tools"}, or {"role": "serve" or "send", "tool", "cable", "peer",
"seconds", "halves": [{"interface", "hca", "address", "peer_address"}]}. A node that belongs to a
stack keeps the result of what it sent, as a fact.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import StepError
from node.host.paths import BANDWIDTH, CLAIM
from node.host.system import System
from node.host.typed_json import ShapeError, parse
from node.network import bandwidth
from node.network.bandwidth import Bandwidth, MeasuredHalf, Tool


@dataclass(frozen=True)
class MeasureRequest:
    role: str
    tool: Tool = "iperf3"
    cable: str = ""
    peer: str = ""
    seconds: int = 2
    halves: tuple[MeasuredHalf, ...] = ()


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Raises StepError where the other end does not answer."""
    request = _parse_request(arguments)
    if request.role == "tools":
        return [json.dumps({"tools": bandwidth.list_tools(system)})]
    if request.role == "serve":
        bandwidth.serve(system, request.tool, request.halves)
        return [json.dumps({"served": True})]
    measured = bandwidth.send(system, request.tool, request.halves, request.seconds)
    entry = build_entry(request, measured, time.time())
    if system.get_state(CLAIM) is not None:
        _keep_entry(system, request.cable, entry)
    return [json.dumps(entry)]


def build_entry(request: MeasureRequest, measured: Bandwidth, now_s: float) -> dict[str, object]:
    fields = {"cable": request.cable, "peer": request.peer, "unix_time_s": round(now_s, 1)}
    return {**fields, "tool": measured.tool, **_to_figures(measured)}


def _to_figures(measured: Bandwidth) -> dict[str, object]:
    return {"half_gbps": dict(measured.half_gbps), "both_gbps": measured.both_gbps}


def _keep_entry(system: System, cable: str, entry: dict[str, object]) -> None:
    """In the place of what was measured of this cable before."""
    try:
        kept = json.loads(system.read(BANDWIDTH) or "[]")
    except ValueError:
        kept = []
    others = [other for other in kept if isinstance(other, dict) and other.get("cable") != cable]
    system.write(BANDWIDTH, json.dumps([*others, entry]), 0o644)


def _parse_request(arguments: Sequence[str]) -> MeasureRequest:
    try:
        return parse(MeasureRequest, json.loads(arguments[0]), "request")
    except (IndexError, ValueError, ShapeError):
        raise StepError("`bandwidth` needs its request as JSON.") from None
