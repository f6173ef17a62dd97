"""The measurement of a cable: commands, what they print, and what is kept of it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.errors import StepError
from node.host.paths import BANDWIDTH, CLAIM
from node.host.system import COMMAND_NOT_FOUND, CommandResult, System
from node.network import bandwidth
from node.network.bandwidth import MeasuredHalf
from node.verbs import bandwidth as verb

# The table of perftest with its remark about the processor's clock in between.
PERFTEST = """ #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]
Conflicting CPU frequency values detected: 1500.0 != 3300.0. CPU Frequency is not max.
 1048576    22304            0.00               92.57              0.011035
"""
IPERF = json.dumps({"end": {"sum_received": {"bits_per_second": 93.4e9}}})
HALVES = (
    MeasuredHalf("enp1s0f0np0", "rocep1s0f0", "192.168.100.10", "192.168.100.11"),
    MeasuredHalf("enP2p1s0f0np0", "roceP2p1s0f0", "192.168.100.138", "192.168.100.139"),
)


@dataclass(frozen=True)
class Recorder(System):
    """A machine whose programs print `output`, after having failed `failures` times."""

    output: str = ""
    failures: list[str] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        self.calls.append(list(argv))
        if self.failures:
            return CommandResult(1, "", self.failures.pop())
        return CommandResult(0, self.output, "")


@pytest.mark.parametrize(
    ("tool", "text", "gbps"),
    [
        ("ib_write_bw", PERFTEST, 92.6),
        ("ib_write_bw", "Couldn't connect to 192.168.100.11:12000", None),
        ("iperf3", IPERF, 93.4),
        ("iperf3", '{"error": "unable to connect to server"}', None),
        ("iperf3", '{"end": {"sum_received": {"bits_per_second": 0}}}', None),
        ("iperf3", "", None),
    ],
)
def test_the_average_is_read(tool: bandwidth.Tool, text: str, gbps: float | None) -> None:
    assert bandwidth.parse_gbps(tool, text) == gbps


def test_each_half_is_measured_alone_and_then_both_at_once(tmp_path: Path) -> None:
    system = Recorder(tmp_path, output=PERFTEST)
    measured = bandwidth.send(system, "ib_write_bw", HALVES, 2)
    assert measured.half_gbps == {"enp1s0f0np0": 92.6, "enP2p1s0f0np0": 92.6}
    assert measured.both_gbps == 185.2
    ports = [call[call.index("-p") + 1] for call in system.calls]
    assert (ports[:2], sorted(ports[2:])) == (["12000", "12001"], ["12002", "12003"])
    served = Recorder(tmp_path)
    bandwidth.serve(served, "ib_write_bw", HALVES)
    assert sorted(call[call.index("-p") + 1] for call in served.calls) == sorted(ports)


def test_a_server_that_listens_later_is_waited_for(patience: list[float], tmp_path: Path) -> None:
    system = Recorder(tmp_path, output=IPERF, failures=["unable to connect to server"] * 3)
    assert bandwidth.send(system, "iperf3", HALVES[:1], 2).both_gbps == 93.4
    silent = Recorder(tmp_path, failures=["unable to connect to server"] * 99)
    with pytest.raises(StepError, match="iperf3 over enp1s0f0np0: unable to connect"):
        bandwidth.send(silent, "iperf3", HALVES[:1], 2)


def request(**values: object) -> list[str]:
    half = {"interface": "a", "hca": None, "address": "x", "peer_address": "y"}
    fields = {"role": "send", "tool": "iperf3", "cable": "c", "peer": "spark-2"}
    return [json.dumps({**fields, "halves": [half], **values})]


def test_only_a_node_of_a_stack_keeps_what_was_measured(tmp_path: Path) -> None:
    system = Recorder(tmp_path, output=IPERF)
    verb.main(system, request(), "")
    assert system.read(BANDWIDTH) is None
    system.write(CLAIM, "p/s")
    verb.main(system, request(), "")
    verb.main(system, request(cable="d"), "")
    verb.main(system, request(), "")
    kept = json.loads(system.read(BANDWIDTH) or "")
    assert [entry["cable"] for entry in kept] == ["d", "c"]
    assert kept[0]["half_gbps"] == {"a": 93.4}
    assert bandwidth.read_measured_gbps(system) == {"c": 93.4, "d": 93.4}


@pytest.mark.parametrize("text", [None, "[", "[1]", '[{"cable": "c"}]', "{}"])
def test_what_is_kept_and_damaged_is_not_shown(tmp_path: Path, text: str | None) -> None:
    system = System(tmp_path)
    if text is not None:
        system.write(BANDWIDTH, text)
    assert bandwidth.read_measured_gbps(system) == {}


def test_a_request_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError):
        verb.main(Recorder(tmp_path), ["[]"], "")


def test_tools_that_are_not_there_are_not_offered(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Bare(System):
        def run(
            self,
            argv: Sequence[str],
            stdin: str = "",
            timeout_s: float = 10,
            environment: Mapping[str, str] | None = None,
        ) -> CommandResult:
            code = 0 if argv[0] == "iperf3" else COMMAND_NOT_FOUND
            return CommandResult(code, "", "")

    assert verb.main(Bare(tmp_path), ['{"role": "tools"}'], "") == ['{"tools": ["iperf3"]}']


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="iperf3 is not installed")
def test_the_real_iperf3_is_understood() -> None:
    far = [MeasuredHalf("b", None, "127.0.0.3", "127.0.0.2")]
    server = threading.Thread(target=bandwidth.serve, args=(System(), "iperf3", far))
    server.start()
    try:
        near = [MeasuredHalf("a", None, "127.0.0.2", "127.0.0.3")]
        assert bandwidth.send(System(), "iperf3", near, 1).both_gbps > 0
    finally:
        server.join()


@pytest.mark.parametrize(
    ("out", "err", "failure"),
    [
        (
            json.dumps({"start": {}, "error": "unable to connect"}, indent=1),
            "",
            "unable to connect",
        ),
        ("", "Couldn't listen\nUnable to open file descriptor\n", "Unable to open file descriptor"),
        ("{ cut off", "", "{ cut off"),
        ("", "", "no output"),
    ],
)
def test_a_client_that_fails_is_told_in_its_own_words(out: str, err: str, failure: str) -> None:
    assert bandwidth.parse_failure(CommandResult(1, out, err)) == failure
