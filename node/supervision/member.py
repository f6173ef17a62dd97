"""What one node does about its rank, by the coordinator's order and what it sees. Pure.

A rank is started at most once an epoch, and only where this node has confirmed, in this boot, that
nothing of the service runs. So no lost message, killed supervisor, reboot or old file starts a rank
twice, or beside one of another epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from node.ranks.rank import Runtime
from node.supervision.messages import MemberState, Order
from node.supervision.moment import Moment
from node.supervision.state import MemberRecord, RecordedRun

Action = Literal["none", "stop", "start"]
NOT_ORDERED = "it was not stopped for this epoch"
NOT_COMPLETED = "its start was interrupted"
NO_RUN = ""
"""The run of a node that has none, and awaits none."""

APPEAR_S = 60.0
"""How long a Swarm may take to start a task."""


@dataclass(frozen=True)
class RankSight:
    """What the node has of the service. `live`: the runs that are alive, whatever their token.

    `is_present`: whether there is a container or unit to start. `ended`: how the recorded run
    ended. `unknown`: why none of it is known. `lacks`: what a rank needs and the node has not;
    `waits`: what is still coming back. `turn`: whose turn it is to start, of others on the node.
    """

    live: tuple[str, ...] = ()
    is_present: bool = True
    ended: str = ""
    unknown: str | None = None
    lacks: str | None = None
    waits: str | None = None
    turn: str | None = None


@dataclass(frozen=True)
class MemberStep:
    """`record` must be on the disk before `action`. `stops`: the runs that end."""

    record: MemberRecord
    state: MemberState
    action: Action = "none"
    stops: tuple[str, ...] = ()
    cause: str = ""


@dataclass(frozen=True)
class MemberSituation:
    """What the decision is about. `order`: the last one, None until the coordinator was heard."""

    record: MemberRecord
    order: Order | None
    sight: RankSight
    now: Moment
    runtime: Runtime


def adopt(live: tuple[str, ...], now: Moment) -> MemberRecord:
    """Of a node without a record of this token: `up` has started the rank, in the first epoch."""
    return MemberRecord(1, None, RecordedRun(1, live[0] if len(live) == 1 else NO_RUN, now))


def decide_member(situation: MemberSituation) -> MemberStep:
    order, record = situation.order, situation.record
    if order is not None and order.epoch > record.epoch:
        record = replace(record, epoch=order.epoch, stopped_boot_id=None)
        situation = replace(situation, record=record)
    if situation.sight.unknown is not None:
        return MemberStep(record, "unknown")
    situation = _adopt_task(situation)
    record = situation.record
    strangers = tuple(id for id in situation.sight.live if id != _get_run_id(record))
    if strangers:
        return MemberStep(record, "stopping", "stop", strangers)
    if order is None or order.epoch < record.epoch:
        return _describe(situation)
    if order.wanted == "stop":
        return _obey_stop(situation)
    return _obey_run(situation) if order.wanted == "run" else _describe(situation)


def _adopt_task(situation: MemberSituation) -> MemberSituation:
    """A Swarm starts the ordered rank in its own time: what appears meanwhile is that one. Its
    head starts nothing before this node has recorded that it awaits it."""
    run, live = situation.record.run, situation.sight.live
    if run is None or len(live) != 1 or not _is_awaited(situation):
        return situation
    record = replace(situation.record, run=replace(run, run_id=live[0]))
    return replace(situation, record=record)


def _is_awaited(situation: MemberSituation) -> bool:
    """Whether the Swarm may still start the rank of this epoch."""
    run = situation.record.run
    if situation.runtime != "swarm" or run is None or run.run_id is not None:
        return False
    age_s = run.started.compute_age_s(situation.now)
    return run.epoch == situation.record.epoch and age_s is not None and age_s <= APPEAR_S


def _obey_stop(situation: MemberSituation) -> MemberStep:
    record, sight = situation.record, situation.sight
    if sight.live:
        return MemberStep(record, "stopping", "stop", sight.live)
    if _get_run_epoch(record) == record.epoch:
        return MemberStep(record, "lost", cause=sight.ended or NOT_COMPLETED)
    if not sight.is_present:
        return MemberStep(record, "gone")
    return MemberStep(replace(record, stopped_boot_id=situation.now.boot_id), "stopped")


def _obey_run(situation: MemberSituation) -> MemberStep:
    record, sight = situation.record, situation.sight
    if sight.live or _get_run_epoch(record) == record.epoch:
        return _describe(situation)
    if not sight.is_present:
        return MemberStep(record, "gone")
    if record.stopped_boot_id != situation.now.boot_id:
        return MemberStep(record, "lost", cause=NOT_ORDERED)
    if sight.lacks or sight.waits:
        return MemberStep(record, "stopped")
    starting = replace(record, run=RecordedRun(record.epoch, None, situation.now))
    return MemberStep(starting, "starting", "start")


def _describe(situation: MemberSituation) -> MemberStep:
    """Nothing changes: what there is."""
    record, sight = situation.record, situation.sight
    if sight.live:
        return MemberStep(record, "running")
    if _is_awaited(situation):
        return MemberStep(record, "starting")
    if not sight.is_present:
        return MemberStep(record, "gone")
    is_confirmed = record.stopped_boot_id == situation.now.boot_id
    if is_confirmed and _get_run_epoch(record) < record.epoch:
        return MemberStep(record, "stopped")
    return MemberStep(record, "lost", cause=sight.ended or NOT_COMPLETED)


def _get_run_id(record: MemberRecord) -> str | None:
    return record.run.run_id if record.run else None


def _get_run_epoch(record: MemberRecord) -> int:
    return record.run.epoch if record.run else 0
