"""What has happened between two looks at a rack. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from node.readings.measure import Unread
from sparkform.status.rack_status import (
    CableStatus,
    NodeStatus,
    RackStatus,
    ServiceStatus,
)
from sparkform.status.wording import describe_clock, describe_rank

Severity = Literal["good", "info", "bad"]
GOOD_STATES = ("serving", "up", "running")
BAD_STATES = (
    *("gave-up", "needs-up", "stopped", "unsupervised", "absent", "recovering", "ended"),
    *("down", "partial"),
)


@dataclass(frozen=True)
class StatusEvent:
    """`subject` is a service, a node or a cable."""

    unix_time_s: float
    subject: str
    severity: Severity
    text: str


def list_events(before: RackStatus, after: RackStatus) -> tuple[StatusEvent, ...]:
    """Of services, then nodes, then cables. What is not known, before or now, is no change: only
    that a node stops answering is."""
    now_s = after.unix_time_s
    return (
        *(
            event
            for old, new in zip(before.services, after.services, strict=True)
            for event in _compare_services(old, new, now_s)
        ),
        *(
            event
            for old, new in zip(before.nodes, after.nodes, strict=True)
            for event in _compare_nodes(old, new, now_s)
        ),
        *(
            StatusEvent(now_s, f"cable {new.name}", _judge(new.state), f"is {new.state}")
            for old, new in _pair_cables(before, after)
            if _is_change(old.state, new.state)
        ),
    )


def _compare_services(
    old: ServiceStatus, new: ServiceStatus, now_s: float
) -> Iterator[StatusEvent]:
    if _is_change(old.state, new.state):
        because = f": {new.detail}" if new.detail else ""
        yield StatusEvent(now_s, new.name, _judge(new.state), f"is {new.state}{because}")
    for old_rank, new_rank in zip(old.ranks, new.ranks, strict=True):
        if _is_change(old_rank.state, new_rank.state):
            text = f"{describe_rank(new_rank)} is {new_rank.state}"
            ending = f": {new_rank.ending}" if new_rank.ending else ""
            yield StatusEvent(now_s, new.name, _judge(new_rank.state), text + ending)
    if _is_change(old.restarts, new.restarts) and new.restarts:
        yield StatusEvent(now_s, new.name, "info", f"restart {new.restarts}")


def _compare_nodes(old: NodeStatus, new: NodeStatus, now_s: float) -> Iterator[StatusEvent]:
    if isinstance(old.contact, Unread) != isinstance(new.contact, Unread):
        if isinstance(new.contact, Unread):
            yield StatusEvent(now_s, new.name, "bad", new.contact.why)
        else:
            yield StatusEvent(now_s, new.name, "good", "answers")
    if _is_change(old.clock_held_by, new.clock_held_by):
        held = describe_clock(new)
        yield StatusEvent(now_s, new.name, "bad" if held else "good", held or "GPU clock is free")


def _pair_cables(
    before: RackStatus, after: RackStatus
) -> Iterator[tuple[CableStatus, CableStatus]]:
    """By name: a port that was found out since gives a cable another one."""
    known = {cable.name: cable for cable in before.cables}
    return ((known[cable.name], cable) for cable in after.cables if cable.name in known)


def _is_change(old: object, new: object) -> bool:
    return old != new and not isinstance(old, Unread) and not isinstance(new, Unread)


def _judge(state: object) -> Severity:
    return "good" if state in GOOD_STATES else "bad" if state in BAD_STATES else "info"
