"""The orders that follow from a coordinator's record. Pure.

Within an epoch no node is told to stop after it was told to run. So a coordinator that has just
started orders nothing that could end a rank which it does not know yet.
"""

from __future__ import annotations

from node.supervision import restarts
from node.supervision.messages import Order, Wanted
from node.supervision.situation import Situation
from node.supervision.state import Turn

NOTICE_S = 8.0
"""For this to reach the other service's coordinator, and its start to be seen here."""


def build_order(situation: Situation, rank: int | None) -> Order:
    """For the node of one rank; None: for a Swarm's head without one.

    A rank gets its task in the Swarm once its node has recorded that it awaits it.
    """
    wanted = "hold" if rank is None else _find_wanted(situation, rank)
    ranks = tuple(entry.rank for entry in situation.target.ranks)
    if situation.target.swarm_head is None or situation.record.phase == "stopped":
        return _build(situation, wanted)
    if situation.record.stage == "stopping":
        # A rank's node keeps the log of its container first, which goes with the task.
        alive = situation.list_ranks("running", "starting", "stopping")
        return _build(situation, wanted, down=tuple(rank for rank in ranks if rank not in alive))
    awaited = filter(situation.was_started, situation.list_ranks("starting", "running"))
    return _build(situation, wanted, up=tuple(awaited))


def _find_wanted(situation: Situation, rank: int) -> Wanted:
    record = situation.record
    if record.phase == "stopped":
        return "hold"
    if record.stage == "stopping":
        return "stop"
    if record.stage != "launching" or rank != 0:
        return "run"
    workers = {entry.rank for entry in situation.target.ranks} - {0}
    running = set(filter(situation.was_started, situation.list_ranks("running")))
    return "run" if workers <= running else "hold"


def _find_turn(situation: Situation) -> Turn:
    """What waits for a node, or for its back-off, holds no other service up. Before its start it
    says so for a while: another one that sees nobody may start at the same moment."""
    record = situation.record
    if record.phase not in ("starting", "recovering") or record.stage == "settled":
        return "none"
    if record.stage != "stopping":
        return "loading"
    noticed = restarts.add_s(situation.view.now, NOTICE_S)
    return "next" if restarts.is_over(record.starts_after, noticed) else "none"


def _build(
    situation: Situation,
    wanted: Wanted,
    up: tuple[int, ...] = (),
    down: tuple[int, ...] = (),
) -> Order:
    record, now = situation.record, situation.view.now
    age_s = record.since.compute_age_s(now) if record.since else None
    served_s = record.served_since.compute_age_s(now) if record.served_since else None
    is_settled = served_s is not None and served_s >= restarts.SETTLED_S
    return Order(
        epoch=record.epoch,
        wanted=wanted,
        phase=record.phase,
        phase_age_s=age_s,
        detail=record.reason,
        is_settled=is_settled,
        is_busy=situation.view.is_busy,
        up=up,
        down=down,
        turn=_find_turn(situation),
    )
