"""What a node measures: every answer of a tool is a value, an absence or a reason."""

from __future__ import annotations

import doctest
import json
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.facts.reading import FactReader, UnreadableFact
from node.host.system import CommandResult
from node.host.typed_json import parse, to_fields, to_json
from node.readings import gpu
from node.readings.gpu import GpuTelemetry
from node.readings.measure import Unread
from node.telemetry import events, links, memory
from node.telemetry.node_telemetry import (
    DiskTelemetry,
    MemoryTelemetry,
    NodeTelemetry,
)
from node.telemetry.read import read
from tests.support.fake_system import Command, FakeSystem, Script

# Printed by nvidia-smi on an H200 for this query.
H200_LINE = "0, 0, 79.73, 34, 345, 1980, 0x0000000000000001, NVIDIA H200\n"
# Constructed: the name and maximum of a GB10, as in the shims' data.
GB10_LINE = "0, 96, 11.42, 61, 507, 3003, 0x0000000000000024, NVIDIA GB10\n"
MEMINFO = "MemTotal:  127601452 kB\nMemFree: 2000000 kB\nMemAvailable:  52428800 kB\n"
MEMINFO += "SwapTotal: 16777212 kB\nSwapFree: 16777000 kB\nHugePages_Total:       0\n"
CMA = "CmaTotal: 0 kB\nCmaFree: 4187904 kB\n"
XID = "NVRM: Xid (PCI:000f:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."


def answer_always(result: CommandResult, argv: list[str], stdin: str) -> CommandResult:
    return result


def build_machine(root: Path, **answers: CommandResult) -> FakeSystem:
    """A Spark with one RoCE half; `nvidia_smi` and `journalctl` answer what is given."""
    given_answers = {
        "nvidia-smi": answers.get("nvidia_smi", CommandResult(0, GB10_LINE, "")),
        "journalctl": answers.get("journalctl", CommandResult(1, "", "")),
    }
    commands: dict[tuple[str, ...], Command] = {
        (name,): partial(answer_always, result) for name, result in given_answers.items()
    }
    script = Script(commands)
    system = FakeSystem(root, script)
    for path, text in {
        "/proc/meminfo": MEMINFO + CMA,
        "/proc/uptime": "123.45 1000.00\n",
        "/proc/vmstat": "pgfault 1\noom_kill 2\n",
        "/sys/class/infiniband/rocep1s0f0/device/net/enp1s0f0np0/address": "4c:bb:47:00:00:01\n",
        "/sys/class/infiniband/rocep1s0f0/ports/1/state": "4: ACTIVE\n",
        "/sys/class/infiniband/rocep1s0f0/ports/1/counters/port_rcv_data": "250\n",
        "/sys/class/infiniband/rocep1s0f0/ports/1/hw_counters/out_of_sequence": "3\n",
        "/sys/class/net/enp1s0f0np0/carrier": "1\n",
        "/sys/class/net/enp1s0f0np0/speed": "200000\n",
    }.items():
        system.put(path, text)
    return system


def test_a_healthy_spark_is_read_whole_and_survives_json(tmp_path: Path) -> None:
    telemetry = read(build_machine(tmp_path))
    assert telemetry.gpus == (
        GpuTelemetry(0, "NVIDIA GB10", 96, 11.42, 61, 507, 3003, ("sw_power_cap", "sw_thermal")),
    )
    assert isinstance(telemetry.memory, MemoryTelemetry)
    assert telemetry.memory.cma_free_kib == 4187904
    assert isinstance(telemetry.links, tuple)
    (link,) = telemetry.links
    assert (link.is_up, link.speed_mbps, link.received_bytes) == (True, 200000, 1000)
    assert (link.sent_bytes, link.errors) == (None, {"out_of_sequence": 3})
    assert all(isinstance(disk, DiskTelemetry) for disk in telemetry.disks.values())
    assert parse(NodeTelemetry, json.loads(json.dumps(to_json(telemetry))), "") == telemetry


def test_a_machine_that_answers_nothing_is_unread_not_empty(tmp_path: Path) -> None:
    missing = CommandResult(127, "", "nvidia-smi: not found")
    script = Script(
        commands={
            ("nvidia-smi",): lambda argv, stdin: missing,
            ("journalctl",): lambda argv, stdin: CommandResult(124, "", "journalctl: no answer"),
        }
    )
    telemetry = read(FakeSystem(tmp_path, script))
    assert telemetry.gpus == Unread("nvidia-smi: not found")
    assert telemetry.memory == Unread("/proc/meminfo: no such file")
    assert telemetry.links == (), "no ConnectX-7 is an answer"
    assert parse(NodeTelemetry, json.loads(json.dumps(to_json(telemetry))), "") == telemetry


def test_no_gpu_is_an_answer_and_a_lost_one_is_not(tmp_path: Path) -> None:
    none = CommandResult(6, "No devices were found\n", "")
    assert read(build_machine(tmp_path / "none", nvidia_smi=none)).gpus == ()
    lost = CommandResult(15, "Unable to determine the device handle for GPU: GPU is lost\n", "")
    gpus = read(build_machine(tmp_path / "lost", nvidia_smi=lost)).gpus
    assert gpus == Unread("Unable to determine the device handle for GPU: GPU is lost")


@pytest.mark.parametrize(
    ("cell", "figure"),
    [
        ("79.73", 79.73),
        ("[N/A]", None),
        ("[Not Supported]", None),
        ("[Unknown Error]", Unread("nvidia-smi: Unknown Error")),
        ("[GPU is lost]", Unread("nvidia-smi: GPU is lost")),
        ("", Unread("nvidia-smi: no value")),
        ("inf", Unread("nvidia-smi: inf")),
    ],
)
def test_a_cell_is_a_number_an_absence_or_a_failure(cell: str, figure: object) -> None:
    assert gpu.parse_figure(cell) == figure


def test_a_reason_that_is_not_known_yet_is_shown_by_its_bit() -> None:
    assert gpu.parse_reasons("0x0000000000000000") == ()
    assert gpu.parse_reasons("0x0000000000000201") == ("gpu_idle", "bits_0x200")
    assert gpu.parse_reasons("[N/A]") is None


def test_a_real_line_is_read() -> None:
    (card,) = gpu.parse(H200_LINE)
    assert (card.name, card.power_w, card.throttle_reasons) == ("NVIDIA H200", 79.73, ("gpu_idle",))
    with pytest.raises(UnreadableFact):
        gpu.parse(H200_LINE[:20])


def test_a_kernel_without_cma_has_none(tmp_path: Path) -> None:
    assert memory.parse(MEMINFO).cma_free_kib is None
    with pytest.raises(UnreadableFact, match="no MemTotal"):
        memory.parse(CMA)


def test_a_link_without_cable_is_down_and_has_no_speed() -> None:
    link = links.parse("rocep1s0f0", "enp1s0f0np0", {"/sys/class/net/enp1s0f0np0/speed": "-1"})
    assert (link.is_up, link.speed_mbps, link.rdma_state) == (False, None, None)


def test_a_journal_that_does_not_answer_is_no_node_without_errors(tmp_path: Path) -> None:
    for answer, message in (
        (CommandResult(124, "", "journalctl: no answer"), "journalctl: no answer"),
        (CommandResult(3, "", ""), "journalctl: exit 3"),
    ):
        reader = FactReader(build_machine(tmp_path, journalctl=answer), time.monotonic() + 5)
        with pytest.raises(UnreadableFact, match=message):
            events.read_xid_errors(reader)
    reader = FactReader(build_machine(tmp_path), time.monotonic() + 5)
    assert events.read_xid_errors(reader) == {}
    assert doctest.testmod(events).failed == 0


def test_xid_errors_are_counted_by_number() -> None:
    assert events.parse_xid_errors(f"{XID}\n{XID}\nNVRM: Xid (PCI:000f:01:00): 43, pid=1\n") == {
        "79": 2,
        "43": 1,
    }


@given(st.text(), st.text())
def test_no_text_breaks_a_parser(first: str, second: str) -> None:
    line = f"0, {first}, {second}, 34, 345, 1980, 0x1, NVIDIA GB10"
    for read_text, text in (
        (gpu.parse, line),
        (gpu.parse, first),
        (memory.parse, MEMINFO + second),
    ):
        try:
            read_text(text)
        except UnreadableFact:
            continue
    events.parse_xid_errors(first)
    port = {"/sys/class/infiniband/a/ports/1/state": first, "/sys/class/net/b/carrier": second}
    links.parse("a", "b", port)


def test_the_form_has_its_unread_values_in_json() -> None:
    telemetry = NodeTelemetry(
        gpus=Unread("b"),
        memory=Unread("c"),
        links=Unread("d"),
        disks={"models": Unread("e")},
    )
    assert to_fields(telemetry)["gpus"] == {"why": "b"}
    assert parse(NodeTelemetry, to_fields(telemetry), "") == telemetry
