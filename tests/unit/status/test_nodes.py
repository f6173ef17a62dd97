"""Rows of nodes and cables, and what of them is absent or not known."""

from __future__ import annotations

import pytest

from node.readings.measure import Unread
from sparkform.status.rack_status import CableStatus, NodeStatus, list_reasons
from tests.support.status_documents import (
    build_declaration,
    build_document,
    build_gpu,
    build_links,
    build_status,
    build_telemetry,
)

LATE = Unread("nvidia-smi: no answer within 4 s")
SILENT = Unread("10.0.0.2 is unreachable (no answer within 6 s)")


def build_node(**telemetry: object) -> NodeStatus:
    return build_status(
        {"spark-2": build_document(1, telemetry=build_telemetry(**telemetry))}
    ).nodes[1]


def build_cables(topology: str, count: int, *up_ports: int) -> dict[str, CableStatus]:
    telemetry = build_telemetry(links=build_links(*up_ports))
    documents = {
        f"spark-{rank + 1}": build_document(rank, telemetry=telemetry) for rank in range(count)
    }
    declaration = build_declaration(topology, count, {})
    status = build_status(documents, declaration, count)
    return {cable.name: cable for cable in status.cables}


def test_a_node_shows_memory_gpu_and_links() -> None:
    node = build_node()
    assert node.contact == "answers"
    assert (node.memory_total_gib, node.memory_available_gib) == (119.5, 23.0)
    assert node.memory_used_gib == 96.5
    assert (node.gpu_use_percent, node.gpu_power_w, node.gpu_temperature_c) == (87.0, 38.4, 61.0)
    assert (node.gpu_clock_mhz, node.clock_held_by, node.swap_used_gib) == (2418.0, (), 0.0)
    assert node.disk_free_gib == 900.0
    assert isinstance(node.links, tuple)
    assert [(link.port, link.half, link.is_up) for link in node.links] == [
        *((0, "A", True), (0, "B", True)),
        *((1, "A", False), (1, "B", False)),
    ]


def test_a_gpu_that_is_late_is_unknown_and_the_rest_is_there() -> None:
    node = build_node(gpus=LATE)
    assert node.gpu_power_w == node.clock_held_by == LATE
    assert node.memory_used_gib == 96.5


def test_a_node_without_gpu_has_no_figures_of_one() -> None:
    node = build_node(gpus=())
    assert node.gpu_power_w is None
    assert node.clock_held_by is None


def test_a_sensor_that_is_not_there_is_absent() -> None:
    assert build_node(gpus=(build_gpu(power_w=None),)).gpu_power_w is None


def test_what_holds_the_clock_down_is_told_but_idleness_is_not() -> None:
    reasons = ("gpu_idle", "sw_thermal")
    assert build_node(gpus=(build_gpu(throttle_reasons=reasons),)).clock_held_by == ("sw_thermal",)


def test_nothing_is_known_of_a_silent_node() -> None:
    node = build_status({"spark-2": SILENT}).nodes[1]
    assert node.contact == node.memory_used_gib == node.gpu_power_w == node.links == SILENT


def test_a_node_that_is_away_is_no_fault() -> None:
    nodes = [
        {"name": "spark-1", "host": "10.0.0.1"},
        {"name": "spark-2", "host": "10.0.0.2", "away": True},
    ]
    declaration = build_declaration("direct", 2, {}, nodes=nodes)
    status = build_status(None, declaration, count=1)
    assert status.nodes[1].is_away
    assert status.is_healthy
    assert list_reasons(status) == ()
    assert [cable.state for cable in status.cables] == ["away"]


@pytest.mark.parametrize(
    ("topology", "count", "names"),
    [
        ("direct", 2, ["spark-1:0-spark-2:0"]),
        ("switch", 3, ["spark-1:0-switch", "spark-2:0-switch", "spark-3:0-switch"]),
        ("none", 2, []),
    ],
)
def test_cables_are_those_of_the_topology(topology: str, count: int, names: list[str]) -> None:
    cables = build_cables(topology, count, 0)
    assert list(cables) == names
    assert {cable.state for cable in cables.values()} <= {"up"}
    assert {cable.speed_gbps for cable in cables.values()} <= {200.0}


def test_a_cable_is_in_the_port_that_has_a_link() -> None:
    assert list(build_cables("direct", 2, 1)) == ["spark-1:1-spark-2:1"]


def test_a_ring_uses_both_ports() -> None:
    cables = build_cables("ring", 3, 0, 1)
    assert list(cables) == ["spark-1:0-spark-2:1", "spark-2:0-spark-3:1", "spark-3:0-spark-1:1"]
    assert {cable.state for cable in cables.values()} == {"up"}


def test_a_cable_without_links_is_down_and_with_one_half_partial() -> None:
    assert build_cables("direct", 2)["spark-1:0-spark-2:0"].state == "down"
    half = build_telemetry(links=build_links(0)[:1])
    (cable,) = build_status({"spark-1": build_document(0, telemetry=half)}).cables
    assert (cable.state, cable.speed_gbps) == ("partial", 200.0)


def test_one_end_tells_of_a_cable_and_no_end_leaves_it_unknown() -> None:
    (cable,) = build_status({"spark-2": SILENT}).cables
    assert cable.state == "up"
    (cable,) = build_status({"spark-1": SILENT, "spark-2": SILENT}).cables
    assert cable.state == SILENT


def test_a_power_limit_that_comes_and_goes_is_ordinary() -> None:
    for reasons in (("sw_power_cap",), (), ("application_clocks", "gpu_idle")):
        assert build_node(gpus=(build_gpu(throttle_reasons=reasons),)).clock_held_by == ()
    held = build_gpu(throttle_reasons=("sw_power_cap", "hw_thermal", "bits_0x200"))
    assert build_node(gpus=(held,)).clock_held_by == ("hw_thermal", "bits_0x200")
