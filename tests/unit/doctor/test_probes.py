"""The packets that are asked for follow from the declaration alone, and match what is planned."""

from __future__ import annotations

from typing import Any

import pytest

from node.network import fabric_verdict
from sparkform.doctor.probes import probe_of, request, with_probes
from sparkform.fabric.links import check_want, partners, witnesses
from sparkform.fabric.network import plan_network
from sparkform.plan.targets import targets
from sparkform.report.facts import NodeDocument
from tests.support.recorded import UP, changed, rack_spec, recording

RACKS = [("direct-untouched", "direct", 2), ("ring-untouched", "ring", 3)]
RACKS += [("switch-untouched", "switch", 3)]


@pytest.mark.parametrize(("name", "topology", "count"), RACKS)
def test_what_is_asked_is_what_is_judged_and_all_that_the_step_would_try(
    name: str, topology: str, count: int
) -> None:
    spec, documents = rack_spec(topology, count), recording(name).documents
    network, problems = plan_network(spec, documents)
    assert problems == []
    for node in documents:
        planned = set()
        for cable in network.cables:
            if node in [end.node for end in cable.ends]:
                asked = witnesses(cable, node, network)
                assert set(partners(cable, node, network)) <= set(asked)
                runs: dict[str, Any] = {one: {} for one in (node, *asked)}
                want = check_want(cable, node, network, documents, 9000, runs)
                planned |= {(half["address"], half["peer_address"]) for half in want["halves"]}
        probes: Any = request(spec, node)["probes"]
        assert {(one["address"], one["peer_address"]) for one in probes} == planned
        assert planned


def test_a_rack_without_a_fabric_is_asked_for_no_packet() -> None:
    spec = rack_spec("none")
    assert [one.steps for one in with_probes(targets(spec), spec)] == [
        one.steps for one in targets(spec)
    ]


def test_the_request_stands_beside_what_other_steps_are_asked() -> None:
    spec = rack_spec()
    (first, _) = with_probes(targets(spec), spec)
    assert set(first.steps) == {"fabric_address", "fabric_check"}


HALF = {
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


def document(**answer: Any) -> NodeDocument:
    """spark-1 of the sound rack with another answer about half A."""
    said = {"address": HALF["address"], "peer_address": HALF["peer_address"], **answer}
    seen = changed(recording(UP), "spark-1", ["steps", "fabric_check"], {"probes": [said]})
    return seen.documents["spark-1"]


PORTS = fabric_verdict.Ports(linked=("enp1s0f0np0",), off=(), planned=("enp1s0f0np0",))


def verdict(found: NodeDocument, ends: dict[str, str] | None = None) -> list[str]:
    seen = [(HALF, probe_of(HALF, found, ends or {}))]
    return [one.sentence for one in fabric_verdict.verdicts(seen, PORTS, "cable")]


def test_a_half_that_answers_has_no_verdict() -> None:
    assert verdict(document(route="enp1s0f0np0", small=True, jumbo=True)) == []


def test_a_half_that_was_not_tried_has_none_either() -> None:
    assert probe_of(HALF, document(), {}).small is None
    assert verdict(document()) == []


def test_a_cable_in_the_wrong_port_is_told_by_the_hardware_address_that_answers() -> None:
    mac = "4c:bb:47:52:1a:11"
    found = document(route="enp1s0f0np0", small=False, jumbo=None, neighbours=[mac])
    (said,) = verdict(found, {mac: "spark-2 enp1s0f1np1"})
    assert "wrong port: the cable ends in port 1 of spark-2 (enp1s0f1np1)" in said


def test_an_interface_that_is_not_there_is_said_to_be_missing() -> None:
    assert not probe_of({**HALF, "interface": "enp9s9"}, document(), {}).exists
