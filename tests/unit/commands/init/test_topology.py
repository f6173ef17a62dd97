"""How nodes are cabled, told from links alone: what is seen, and what is only assumed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sparkform.commands.init.topology import detect_topology, find_linked_ports
from sparkform.report.facts import Interface
from tests.support.recorded import load_recording

NAMES = {(0, "A"): "enp1s0f0np0", (0, "B"): "enP2p1s0f0np0"}
NAMES |= {(1, "A"): "enp1s0f1np1", (1, "B"): "enP2p1s0f1np1"}


def build_spark(*linked: int, dead: str = "") -> list[Interface]:
    """A Spark whose ports `linked` have a link, but for the half `dead`."""
    return [
        build_half(port, side, port in linked and name != dead)
        for (port, side), name in NAMES.items()
    ]


def build_half(port: int, side: str, carrier: bool) -> Interface:
    return Interface(
        name=NAMES[port, side],
        state="up",
        carrier=carrier,
        speed_mbps=None,
        mtu=1500,
        mac=None,
        kind=None,
        driver=None,
        addresses=(),
        port=port,
        half=side,
        hca=None,
        rdma_state=None,
        gid_addresses=(),
    )


def build_rack(*nodes: Sequence[Interface]) -> dict[str, Sequence[Interface]]:
    return {f"spark-{position + 1}": interfaces for position, interfaces in enumerate(nodes)}


@pytest.mark.parametrize(
    ("nodes", "topology"),
    [
        ([(0,)], "none"),
        ([(), ()], "none"),
        ([(0,), ()], "none"),
        ([(0,), (0,)], "direct"),
        ([(0,), (1,)], "direct"),
        ([(0, 1), (0, 1)], "direct"),
        ([(0, 1)] * 3, "ring"),
        ([(0,)] * 3, "switch"),
        ([(1,)] * 8, "switch"),
        ([(0, 1), (0, 1), (0,)], "none"),
        ([(0, 1)] * 4, "none"),
    ],
)
def test_links_give_the_topology(nodes: list[tuple[int, ...]], topology: str) -> None:
    assert (
        detect_topology(build_rack(*(build_spark(*ports) for ports in nodes))).topology == topology
    )


@pytest.mark.parametrize("topology", ["direct", "ring", "switch"])
def test_recorded_racks_are_told_apart(topology: str) -> None:
    reports = load_recording(f"{topology}-untouched").reports
    interfaces = {name: report.facts.interfaces or () for name, report in reports.items()}
    assert detect_topology(interfaces).topology == topology


def test_what_links_cannot_tell_is_called_an_assumption() -> None:
    for nodes in ([(0,), (0,)], [(0, 1)] * 3, [(0,)] * 4, [(), ()], [(0,), ()]):
        assert detect_topology(build_rack(*(build_spark(*ports) for ports in nodes))).assumptions
    assert detect_topology(build_rack(build_spark())).assumptions == ()


def test_an_interface_that_is_switched_off_is_said_to_hide_its_link() -> None:
    dark = [interface.model_copy(update={"state": "down"}) for interface in build_spark()[:2]]
    (_, message) = detect_topology(build_rack([*dark, *build_spark()[2:]])).observations
    assert message.startswith("spark-1: enp1s0f0np0, enP2p1s0f0np0 are down")


def test_a_port_with_half_a_link_counts_and_is_named() -> None:
    broken = build_spark(0, dead="enP2p1s0f0np0")
    assert find_linked_ports(broken) == (0,)
    assert (
        "spark-1: enP2p1s0f0np0 has no link, but its other half has: reseat the cable"
        in detect_topology(build_rack(broken, build_spark(0))).observations
    )
