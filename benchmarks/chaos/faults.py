"""The faults, and how each round's one is drawn: by seed and number alone. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FaultName = Literal[
    "kill rank",
    "kill supervisor",
    "kill dockerd",
    "reboot",
    "freeze",
    "link down",
    "management cut",
    "clock step",
    "disk full",
    "up",
    "killed up",
    "destroy",
]
Effect = Literal["none", "restart", "run", "end"]
"""What a fault may do to ranks: nothing; one restart of the group under its run; a new run, by
`up`; their end."""


@dataclass(frozen=True)
class FaultKind:
    """`weight`: how often it is drawn, compared to the others. `lasts_s`: until it is mended, or
    the `up` is killed, from and to."""

    name: FaultName
    effect: Effect
    weight: int
    lasts_s: tuple[float, float] = (0.0, 0.0)


KINDS = (
    FaultKind("kill rank", "restart", 4),
    FaultKind("kill supervisor", "none", 3),
    FaultKind("kill dockerd", "restart", 2),
    FaultKind("reboot", "restart", 2),
    FaultKind("freeze", "none", 2, (5.0, 20.0)),
    FaultKind("link down", "none", 2, (5.0, 15.0)),
    FaultKind("management cut", "none", 2, (5.0, 20.0)),
    FaultKind("clock step", "none", 2, (5.0, 10.0)),
    FaultKind("disk full", "none", 2, (5.0, 15.0)),
    FaultKind("up", "none", 1),
    FaultKind("killed up", "run", 1, (3.0, 20.0)),
    FaultKind("destroy", "end", 1),
)
BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class DrawnFault:
    """`node`: its host name; empty where a fault is none of one node."""

    name: FaultName
    node: str
    lasts_s: float

    @property
    def effect(self) -> Effect:
        return BY_NAME[self.name].effect


def draw_fault(seed: int, number: int, nodes: Sequence[str]) -> DrawnFault:
    """That of one round; the rounds before it do not matter, so that a run can be gone on with."""
    source = random.Random(f"{seed} {number}")
    (kind,) = source.choices(KINDS, [kind.weight for kind in KINDS])
    node = "" if kind.name in ("up", "killed up", "destroy") else source.choice(nodes)
    return DrawnFault(kind.name, node, round(source.uniform(*kind.lasts_s), 1))
