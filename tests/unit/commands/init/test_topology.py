"""How nodes are cabled, told from links alone: what is seen, and what is only assumed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sparkform.commands.init.topology import detect, linked_ports
from sparkform.report.facts import Interface
from tests.support.recorded import recording

NAMES = {(0, "A"): "enp1s0f0np0", (0, "B"): "enP2p1s0f0np0"}
NAMES |= {(1, "A"): "enp1s0f1np1", (1, "B"): "enP2p1s0f1np1"}


def spark(*linked: int, dead: str = "") -> list[Interface]:
    """A Spark whose ports `linked` have a link, but for the half `dead`."""
    return [
        half(port, side, port in linked and name != dead) for (port, side), name in NAMES.items()
    ]


def half(port: int, side: str, carrier: bool) -> Interface:
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


def racked(*nodes: Sequence[Interface]) -> dict[str, Sequence[Interface]]:
    return {f"spark-{at + 1}": own for at, own in enumerate(nodes)}


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
    assert detect(racked(*(spark(*ports) for ports in nodes))).topology == topology


@pytest.mark.parametrize("topology", ["direct", "ring", "switch"])
def test_recorded_racks_are_told_apart(topology: str) -> None:
    documents = recording(f"{topology}-untouched").documents
    seen = {name: one.facts.interfaces or () for name, one in documents.items()}
    assert detect(seen).topology == topology


def test_what_links_cannot_tell_is_called_an_assumption() -> None:
    for nodes in ([(0,), (0,)], [(0, 1)] * 3, [(0,)] * 4, [(), ()], [(0,), ()]):
        assert detect(racked(*(spark(*ports) for ports in nodes))).assumed
    assert detect(racked(spark())).assumed == ()


def test_an_interface_that_is_switched_off_is_said_to_hide_its_link() -> None:
    dark = [one.model_copy(update={"state": "down"}) for one in spark()[:2]]
    (_, said) = detect(racked([*dark, *spark()[2:]])).seen
    assert said.startswith("spark-1: enp1s0f0np0, enP2p1s0f0np0 are switched off")


def test_a_port_with_half_a_link_counts_and_is_named() -> None:
    broken = spark(0, dead="enP2p1s0f0np0")
    assert linked_ports(broken) == (0,)
    assert (
        "spark-1: enP2p1s0f0np0 has no link, its other half has: reseat it"
        in detect(racked(broken, spark(0))).seen
    )
