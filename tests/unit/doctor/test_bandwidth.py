"""What a measured cable means, and that the prediction knows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from sparkform.commands.doctor import measurement
from sparkform.commands.doctor.measurement import add_bandwidth, build_request, choose_tool
from sparkform.doctor import Check
from sparkform.fabric.measuring import CablePair, build_halves, find_link_share, list_pairs
from sparkform.fabric.network import plan_network
from sparkform.report.facts import MeasuredCable
from sparkform.report.rack_report import NodeError, Observation
from sparkform.sizing.calibration import build_machine
from sparkform.ssh.target import Target, VerbRequest
from tests.support.planning import build_declaration, load_reports
from tests.support.recorded import UP, load_recording
from tests.unit.doctor.support import diagnose_recording, get_row, list_rows

CABLE = "spark-1:0-spark-2:0"
PAIR = CablePair(CABLE, "spark-2", "spark-1")


def build_bandwidth(half: float, both: float, tool: str = "ib_write_bw") -> MeasuredCable:
    return MeasuredCable(
        cable=CABLE,
        peer="spark-1",
        unix_time_s=1.0,
        tool=tool,
        half_gbps={"enp1s0f0np0": half, "enP2p1s0f0np0": half},
        both_gbps=both,
    )


def judge(measured: MeasuredCable) -> Check:
    rows = diagnose_recording(add_bandwidth(load_recording(UP), "spark-2", measured))
    return get_row(rows, "spark-2", "bandwidth")


@pytest.mark.parametrize(
    ("half", "both", "tool", "status"),
    [
        (92.6, 189.9, "ib_write_bw", "ok"),
        (60.0, 118.0, "iperf3", "ok"),
        (92.6, 98.0, "ib_write_bw", "warn"),
        (60.0, 98.0, "ib_write_bw", "warn"),
        (12.9, 13.2, "ib_write_bw", "fail"),
        (12.9, 13.2, "iperf3", "fail"),
        (4.9, 120.0, "ib_write_bw", "fail"),
    ],
)
def test_a_cable_is_judged_by_its_worst_figure(
    half: float, both: float, tool: str, status: str
) -> None:
    row = judge(build_bandwidth(half, both, tool))
    assert row.status == status
    assert f"{both:g} of 200 Gb/s" in row.message


def test_a_cable_that_is_no_longer_there_has_no_row() -> None:
    other = build_bandwidth(1.0, 1.0).model_copy(update={"cable": "spark-1:1-spark-2:1"})
    rows = diagnose_recording(add_bandwidth(load_recording(UP), "spark-2", other))
    assert list_rows(rows, "spark-2", "bandwidth") == []


def test_the_prediction_has_what_was_measured_and_else_what_the_links_say() -> None:
    reports = load_reports("direct-2-up")
    network, _ = plan_network(build_declaration("direct", 2), reports)
    names = ("spark-1", "spark-2")
    assert find_link_share(names, network, reports) == 1.0
    slow = add_bandwidth(load_recording(UP), "spark-2", build_bandwidth(46.0, 92.0)).reports
    assert find_link_share(names, network, slow) == 0.5
    assert find_link_share(names, None, {}) == 1.0
    assert build_machine(share=0.5).link_gb_s == build_machine().link_gb_s / 2


def test_both_ends_are_asked_for_the_same_halves() -> None:
    reports = load_reports("direct-2-up")
    network, _ = plan_network(build_declaration("direct", 2), reports)
    assert list_pairs(network) == [PAIR]
    requests = [
        build_request(PAIR, node, "iperf3", network, reports).request
        for node in ("spark-2", "spark-1")
    ]
    assert [request["role"] for request in requests] == ["send", "serve"]
    halves = [build_halves(PAIR, node, network, reports) for node in ("spark-2", "spark-1")]
    assert [request["halves"] for request in requests] == halves
    assert [half["address"] for half in halves[0]] == [half["peer_address"] for half in halves[1]]
    assert {half["hca"] for half in halves[0]} == {"rocep1s0f0", "roceP2p1s0f0"}


def test_behind_a_switch_the_first_node_serves_all_others() -> None:
    reports = load_reports("switch-3-up")
    network, _ = plan_network(build_declaration("switch", 3), reports)
    pairs = [(pair.sender, pair.server) for pair in list_pairs(network)]
    assert pairs == [("spark-2", "spark-1"), ("spark-3", "spark-1")]


@pytest.mark.parametrize(
    ("sender", "server", "tool"),
    [
        (["ib_write_bw", "iperf3"], ["ib_write_bw", "iperf3"], "ib_write_bw"),
        (["ib_write_bw", "iperf3"], ["iperf3"], "iperf3"),
        (["ib_write_bw"], ["iperf3"], ""),
        ([], [], ""),
    ],
)
def test_rdma_comes_before_tcp_where_both_ends_have_it(
    sender: list[str], server: list[str], tool: str
) -> None:
    assert choose_tool(PAIR, {"spark-2": tuple(sender), "spark-1": tuple(server)}) == tool


def answer_queries(answers: Mapping[str, object]) -> Callable[..., dict[str, object]]:
    """As nodes answer: by role, or with an error."""

    def query(
        requests: Mapping[str, VerbRequest], targets: Sequence[Target], limit_s: float = 8.0
    ) -> dict[str, object]:
        return {
            target.name: answers[str(requests[target.name].request["role"])] for target in targets
        }

    return query


TOOLS = '{"tools": ["iperf3"]}'
REFUSED = NodeError(kind="refused", what="Connection refused by 10.0.0.2.", remedy="Look at it.")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"tools": REFUSED}, "not measured: Connection refused by 10.0.0.2."),
        ({"tools": '{"tools": []}'}, "not measured: neither ib_write_bw nor iperf3"),
        ({"tools": TOOLS, "send": REFUSED, "serve": "{}"}, "not measured: Connection refused"),
        ({"tools": TOOLS, "send": "{}", "serve": "{}"}, "the node returned invalid output"),
    ],
)
def test_a_cable_that_could_not_be_measured_says_why(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, object], words: str
) -> None:
    monkeypatch.setattr(measurement, "query_documents", answer_queries(answers))
    observation, (row,) = measure()
    assert words in row.message
    assert (row.node, row.status) == ("spark-2", "warn")
    assert observation == load_recording(UP)


def test_what_was_measured_joins_the_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = build_bandwidth(92.6, 189.9).model_dump_json()
    answers = {"tools": TOOLS, "send": figures, "serve": "{}"}
    monkeypatch.setattr(measurement, "query_documents", answer_queries(answers))
    observation, rows = measure()
    assert rows == []
    assert observation.reports["spark-2"].facts.bandwidth == (build_bandwidth(92.6, 189.9),)


def measure() -> tuple[Observation, list[Check]]:
    observation = load_recording(UP)
    network, _ = plan_network(build_declaration("direct", 2), observation.reports)
    targets = [Target(name=name, host="h", user="u") for name in ("spark-1", "spark-2")]
    return measurement.measure_cables(network, observation, targets, lambda: None)
