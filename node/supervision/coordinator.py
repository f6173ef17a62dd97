"""What the node of rank 0 decides for the group: when it restarts, and how far it has come. Pure.

An epoch is one start of the whole group, and its stages only go forward: all have confirmed that
nothing runs, all were started (workers first), the first token came. What a coordinator orders
follows from its record alone (node.supervision.orders), which is on the disk before.
"""

from __future__ import annotations

from dataclasses import replace

from node.supervision import restarts
from node.supervision.situation import GroupView, Situation
from node.supervision.state import CoordinatorRecord, Phase, RankFailure, RestartCount, Stage
from node.supervision.target import SupervisionTarget

ENDED_PHASES: tuple[Phase, ...] = ("gave-up", "needs-up", "stopped", "paused")
"""Only a new token, or somebody who asks for a restart, ends them."""

BLAMELESS_S = 60.0
"""A rank that ends so soon after its node lacked something has not failed by itself."""

NOTED_EVERY_S = 5.0


def decide_group(
    target: SupervisionTarget, record: CoordinatorRecord, view: GroupView
) -> CoordinatorRecord:
    """The record that must be on the disk before the orders that follow from it."""
    situation = Situation(target, _note_lack(Situation(target, record, view)), view)
    if view.is_requested:
        fresh = replace(situation.record, restarts=RestartCount(), failure=None)
        return _restart(replace(situation, record=fresh), "a restart was asked for", False)
    if view.is_pause_requested and record.phase != "paused":
        return _end(situation, "paused", "somebody asked for it")
    if record.phase in ENDED_PHASES:
        return record
    if record.stage == "settled":
        return _watch(situation)
    # Ranks that load, or serve, are left alone by a coordinator that has lost its record.
    if record.stage != "loading" and situation.get_highest_epoch() > record.epoch:
        return _restart(situation, f"starts again{_recall(record)}", record.is_counted)
    return STAGES[record.stage](situation)


def _note_lack(situation: Situation) -> CoordinatorRecord:
    record, now = situation.record, situation.view.now
    age_s = record.lacked.compute_age_s(now) if record.lacked else None
    is_noted = age_s is not None and age_s < NOTED_EVERY_S
    return record if is_noted or not situation.find_lack() else replace(record, lacked=now)


def _watch(situation: Situation) -> CoordinatorRecord:
    """A group that serves. It is not touched while it does."""
    ended = _find_ended(situation)
    if ended is not None:
        return ended
    view = situation.view
    if view.stall:
        return _fail(situation, 0, f"the engine is stalled: {view.stall}")
    if view.suspicion:
        return _show(situation, "suspect", view.suspicion)
    flaw = situation.find_flaw()
    return _show(situation, "degraded" if flaw else "serving", flaw or "")


def _await_stopped(situation: Situation) -> CoordinatorRecord:
    record, view = situation.record, situation.view
    if situation.list_gone():
        return _end_as_gone(situation)
    if situation.list_ranks("lost"):
        # Started in this epoch already, by a disk that is older: only another epoch may start it.
        return _restart(situation, f"starts again{_recall(record)}", record.is_counted)
    lacking = situation.find_lack()
    if lacking:
        return _show(_excuse(situation), *lacking)
    waiting = situation.find_unconfirmed() or situation.find_waiting()
    if waiting:
        return _show(situation, *waiting)
    if not restarts.is_over(record.starts_after, view.now):
        return _show(situation, "recovering", record.reason)
    return _launch(situation)


def _launch(situation: Situation) -> CoordinatorRecord:
    record, view, limits = situation.record, situation.view, situation.target.limits
    for rank, report in sorted(view.reports.items()):
        if report.unclean_boots >= restarts.UNCLEAN_BOOTS:
            node = situation.get_node(rank)
            return _end(situation, "gave-up", f"{node} went down twice soon after a start")
    count = restarts.update_count(record.restarts, view.now, limits.restart_window_s)
    if record.is_counted:
        if count.number >= limits.max_restarts:
            return _end(situation, "gave-up", f"{count.number} restarts failed{_recall(record)}")
        count = restarts.add_restart(count, view.now)
    situation = replace(situation, record=replace(record, restarts=count))
    return _enter(situation, "recovering", "launching", record.reason)


def _await_running(situation: Situation) -> CoordinatorRecord:
    ended = _find_ended(situation)
    if ended is not None:
        return ended
    record, running = situation.record, situation.list_ranks("running")
    if not all(map(situation.was_started, running)):
        # A node has lost its record since it confirmed: which start its rank is of is not known.
        return _restart(situation, f"starts again{_recall(record)}", record.is_counted)
    if len(running) == len(situation.target.ranks):
        return _enter(situation, "recovering", "loading", record.reason)
    held_up = situation.find_lack() or _find_silent(situation)
    return _show(situation, *(held_up or ("recovering", record.reason)))


def _find_silent(situation: Situation) -> tuple[Phase, str] | None:
    """Whoever is needed for the launch and not heard."""
    for rank, reason in sorted(situation.view.silent.items()):
        if not situation.was_started(rank):
            return "blocked", f"{situation.get_node(rank)}: {reason}"
    head = situation.describe_head()
    return ("blocked", head) if head else None


def _await_answer(situation: Situation) -> CoordinatorRecord:
    record, view = situation.record, situation.view
    if view.is_answering:
        flaw = situation.find_flaw()
        situation = replace(situation, record=replace(record, served_since=view.now))
        return _enter(situation, "degraded" if flaw else "serving", "settled", flaw or "")
    ended = _find_ended(situation)
    if ended is not None:
        return ended
    for rank, report in sorted(view.reports.items()):
        if report.failure and situation.was_started(rank):
            return _fail(situation, rank, report.failure)
    return record


STAGES = {"stopping": _await_stopped, "launching": _await_running, "loading": _await_answer}


def _find_ended(situation: Situation) -> CoordinatorRecord | None:
    """A rank that was started and does not run any more ends the epoch."""
    if situation.list_gone():
        return _end_as_gone(situation)
    lost = situation.list_ranks("lost")
    if not lost:
        return None
    report = situation.view.reports[lost[0]]
    if report.is_rebooted and situation.target.policy == "group":
        return _restart(situation, f"{situation.get_node(lost[0])} has booted", False)
    return _fail(situation, lost[0], report.cause or "its rank has ended")


def _fail(situation: Situation, rank: int, cause: str) -> CoordinatorRecord:
    record, view = situation.record, situation.view
    failure = RankFailure(cause, rank, situation.get_node(rank), view.now_unix_s)
    situation = replace(situation, record=replace(record, failure=failure))
    if situation.target.policy == "none":
        return _end(situation, "stopped", cause)
    age_s = record.lacked.compute_age_s(view.now) if record.lacked else None
    is_blameless = age_s is not None and age_s < BLAMELESS_S
    reason = f"rank {rank} on {failure.node}: {cause}"
    restarting = _restart(situation, reason, True)
    return _excuse(replace(situation, record=restarting)).record if is_blameless else restarting


def _excuse(situation: Situation) -> Situation:
    """A restart that would have counted does not: the node lacks something."""
    record = situation.record
    if not record.is_counted:
        return situation
    count = restarts.add_excused(record.restarts, situation.view.now)
    return replace(situation, record=replace(record, is_counted=False, restarts=count))


def _recall(record: CoordinatorRecord) -> str:
    """The last failure, to stand behind a sentence."""
    failure = record.failure
    return f"; rank {failure.rank} on {failure.node}: {failure.cause}" if failure else ""


def _restart(situation: Situation, reason: str, is_counted: bool) -> CoordinatorRecord:
    """A new epoch, higher than any that a node knows. Whether it counts is settled once all have
    stopped: what a node lacks shows by then."""
    record, now = situation.record, situation.view.now
    limits = situation.target.limits
    count = restarts.update_count(record.restarts, now, limits.restart_window_s)
    wait_s = restarts.compute_wait_s(count) if is_counted else 0.0
    record = replace(
        record,
        epoch=max(record.epoch, situation.get_highest_epoch()) + 1,
        restarts=count,
        is_counted=is_counted,
        starts_after=restarts.add_s(now, wait_s),
        served_since=None,
    )
    return _enter(replace(situation, record=record), "recovering", "stopping", reason)


def _end_as_gone(situation: Situation) -> CoordinatorRecord:
    node = situation.get_node(situation.list_gone()[0])
    return _end(situation, "needs-up", f"the rank's container or unit on {node} is gone")


def _end(situation: Situation, phase: Phase, reason: str) -> CoordinatorRecord:
    """The ranks stop, under a new epoch where this one has started them; with policy none they
    stay as they are."""
    record = situation.record
    if phase == "stopped":
        return _enter(situation, phase, "settled", reason)
    if record.stage != "stopping":
        epoch = max(record.epoch, situation.get_highest_epoch()) + 1
        record = replace(record, epoch=epoch, served_since=None)
    return _enter(replace(situation, record=record), phase, "stopping", reason)


def _enter(situation: Situation, phase: Phase, stage: Stage, reason: str) -> CoordinatorRecord:
    """`since` is when the phase began, not its reason."""
    record, view = situation.record, situation.view
    if phase != record.phase or record.since is None:
        record = replace(record, since=view.now, since_unix_s=view.now_unix_s)
    return replace(record, phase=phase, stage=stage, reason=reason)


def _show(situation: Situation, phase: Phase, reason: str) -> CoordinatorRecord:
    return _enter(situation, phase, situation.record.stage, reason)
