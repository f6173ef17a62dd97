"""The packets that are asked for follow from the declaration alone, and match what is planned."""

from __future__ import annotations

from typing import Any

import pytest

from node.network import fabric_verdict
from node.network.halves import LinkHalf
from sparkform.doctor.probes import add_probes, build_probe, build_probe_request
from sparkform.fabric.links import build_check_want, list_partners, list_witnesses
from sparkform.fabric.network import plan_network
from sparkform.plan.targets import list_targets
from sparkform.report.facts import NodeReport
from tests.support.recorded import UP, build_rack_declaration, change_report, load_recording

RACKS = [("direct-untouched", "direct", 2), ("ring-untouched", "ring", 3)]
RACKS += [("switch-untouched", "switch", 3)]


@pytest.mark.parametrize(("name", "topology", "count"), RACKS)
def test_what_is_asked_is_what_is_judged_and_all_that_the_step_would_try(
    name: str, topology: str, count: int
) -> None:
    declaration, reports = build_rack_declaration(topology, count), load_recording(name).reports
    network, problems = plan_network(declaration, reports)
    assert problems == []
    for node in reports:
        planned = set()
        for cable in network.cables:
            if node in [end.node for end in cable.ends]:
                witness_nodes = list_witnesses(cable, node, network)
                assert set(list_partners(cable, node, network)) <= set(witness_nodes)
                runs: dict[str, Any] = {one: {} for one in (node, *witness_nodes)}
                want = build_check_want(cable, node, network, reports, 9000, runs)
                planned |= {(half["address"], half["peer_address"]) for half in want.halves}
        probes: Any = build_probe_request(declaration, node)["probes"]
        assert {(one["address"], one["peer_address"]) for one in probes} == planned
        assert planned


def test_a_rack_without_a_fabric_is_asked_for_no_packet() -> None:
    declaration = build_rack_declaration("none")
    assert [target.steps for target in add_probes(list_targets(declaration), declaration)] == [
        target.steps for target in list_targets(declaration)
    ]


def test_the_request_stands_beside_what_other_steps_are_asked() -> None:
    declaration = build_rack_declaration()
    (target, _) = add_probes(list_targets(declaration), declaration)
    assert set(target.steps) == {"fabric_address", "fabric_check"}


HALF: LinkHalf = {
    "node": "spark-1",
    "cable": "spark-1:0-spark-2:0",
    "interface": "enp1s0f0np0",
    "address": "192.168.100.10",
    "peer": "spark-2",
    "peer_interface": "enp1s0f0np0",
    "peer_address": "192.168.100.11",
    "mtu": 9000,
    "speed_mbps": 200_000,
}


def build_report(**answer: Any) -> NodeReport:
    """spark-1 of the sound rack with another answer about half A."""
    probe_answer = {"address": HALF["address"], "peer_address": HALF["peer_address"], **answer}
    observation = change_report(
        load_recording(UP), "spark-1", ["steps", "fabric_check"], {"probes": [probe_answer]}
    )
    return observation.reports["spark-1"]


PORTS = fabric_verdict.Ports(linked=("enp1s0f0np0",), off=(), planned=("enp1s0f0np0",))


def list_verdicts(report: NodeReport, ends: dict[str, str] | None = None) -> list[str]:
    half_probes = [(HALF, build_probe(HALF, report, ends or {}))]
    return [
        verdict.sentence for verdict in fabric_verdict.judge_halves(half_probes, PORTS, "cable")
    ]


def test_a_half_that_answers_has_no_verdict() -> None:
    assert list_verdicts(build_report(route="enp1s0f0np0", small=True, jumbo=True)) == []


def test_a_half_that_was_not_tried_has_none_either() -> None:
    assert build_probe(HALF, build_report(), {}).small is None
    assert list_verdicts(build_report()) == []


def test_a_cable_in_the_wrong_port_is_told_by_the_hardware_address_that_answers() -> None:
    mac = "4c:bb:47:52:1a:11"
    report = build_report(route="enp1s0f0np0", small=False, jumbo=None, neighbours=[mac])
    (sentence,) = list_verdicts(report, {mac: "spark-2 enp1s0f1np1"})
    assert "wrong port: the cable ends in port 1 of spark-2 (enp1s0f1np1)" in sentence


def test_an_interface_that_is_not_there_is_said_to_be_missing() -> None:
    assert not build_probe({**HALF, "interface": "enp9s9"}, build_report(), {}).exists
