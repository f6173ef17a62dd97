"""Start a rank again that was started before: its container, or its unit."""

from __future__ import annotations

from node.host.system import System
from node.ranks import containers, units
from node.ranks.rank import UNIT, Rank


def start_rank(system: System, rank: Rank) -> None:
    """Raises StepError."""
    if rank.kind == UNIT:
        units.start_unit(system, rank.name)
    else:
        containers.start_container(system, rank)
