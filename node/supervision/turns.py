"""Whose turn it is to start, where services share a node: one loads at a time, as `up` starts them.

Engines that load at once take each other's memory for their own. Who has begun to load is waited
for, whoever it is; who is about to, only by those that the stack file names after it.
"""

from __future__ import annotations

from collections.abc import Mapping

from node.host.paths import SUPERVISION
from node.host.system import System
from node.supervision.moment import read_moment
from node.supervision.report import STALE_S, read_live
from node.supervision.state import Turn
from node.supervision.target import SupervisionTarget

UNHEARD_LIMIT_S = 60.0
"""How long a supervisor that says nothing yet is waited for, as after a boot."""


def find_turn(
    turns: Mapping[str, Turn | None], earlier: tuple[str, ...], waited_s: float
) -> str | None:
    """Why a service has to wait; None where it may start. `turns`: of the others on the node, None
    where their supervisor says nothing of now. Pure."""
    for service, turn in turns.items():
        if turn == "loading" or (turn == "next" and service in earlier):
            return f"service {service} starts first"
        if turn is None and service in earlier and waited_s < UNHEARD_LIMIT_S:
            return f"service {service}, which starts first, is not heard yet"
    return None


def read_turns(system: System, target: SupervisionTarget) -> dict[str, Turn | None]:
    """Of the other services that are supervised on this node."""
    names = system.list_names(SUPERVISION)
    return {name: _read_turn(system, name) for name in names if name != target.service}


def _read_turn(system: System, service: str) -> Turn | None:
    live = read_live(system, service)
    age_s = live.written.compute_age_s(read_moment(system)) if live else None
    return live.turn if live is not None and age_s is not None and age_s <= STALE_S else None
