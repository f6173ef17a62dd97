"""Which port of which node is cabled to what, for each topology. Pure.

Cabling and counts: NVIDIA dgx-spark-playbooks, connect-two-sparks, connect-three-sparks and
connect-multiple-sparks (one cable a pair; ring N1P0-N2P1, N2P0-N3P1, N3P0-N1P1; on a switch the
same port of every node).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Topology = Literal["direct", "ring", "switch", "none"]
Port = Literal[0, 1]
Half = Literal["A", "B"]

HALVES: tuple[Half, Half] = ("A", "B")


@dataclass(frozen=True, order=True)
class End:
    """One end of a cable: a QSFP port of a node."""

    node: str
    port: Port

    def __str__(self) -> str:
        return f"{self.node}:{self.port}"


@dataclass(frozen=True)
class Cable:
    """One cable. `far` is None where it ends in the switch. `subnet` is the first of its two."""

    near: End
    far: End | None
    subnet: int

    @property
    def name(self) -> str:
        """`spark-1:0-spark-2:0`, or `spark-1:0-switch`."""
        return f"{self.near}-{self.far or 'switch'}"

    @property
    def ends(self) -> tuple[End, ...]:
        return (self.near,) if self.far is None else (self.near, self.far)


def build_cables(
    topology: Topology, nodes: Sequence[str], ports: Mapping[str, Port]
) -> tuple[Cable, ...]:
    """The cables of a rack. `nodes` in the order of their index, `ports` the used port of each.

    A ring uses both ports of each node, so `ports` does not matter there. Half A of a cable lies in
    subnet `cable.subnet`, half B in the next one: 0 and 1 serve direct and switch alike, so that a
    third Spark behind a switch changes nothing on the first two; 0 to 5 serve the ring.
    """
    if topology == "direct":
        first, second = nodes
        return (Cable(End(first, ports[first]), End(second, ports[second]), 0),)
    if topology == "switch":
        return tuple(Cable(End(node, ports[node]), None, 0) for node in nodes)
    if topology == "ring":
        following = [*nodes[1:], nodes[0]]
        pairs = enumerate(zip(nodes, following, strict=True))
        return tuple(Cable(End(a, 0), End(b, 1), 2 * position) for position, (a, b) in pairs)
    return ()
