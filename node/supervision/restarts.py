"""How often a group may restart, and how long it waits before it does. Pure."""

from __future__ import annotations

from dataclasses import replace

from node.supervision.moment import Moment
from node.supervision.state import BootRecord, RestartCount

SHORTEST_WAIT_S = 10.0
LONGEST_WAIT_S = 300.0
UNCLEAN_BOOTS = 2
SETTLED_S = 600.0
"""A service that served for so long has proved that its start is no danger to the node."""


def update_count(count: RestartCount, now: Moment, window_s: float) -> RestartCount:
    """The count as it is now. Over a boot it stays, and its window begins anew."""
    if count.window is None:
        return RestartCount()
    age_s = count.window.compute_age_s(now)
    if age_s is None:
        return replace(count, window=now)
    return count if age_s < window_s else RestartCount()


def add_restart(count: RestartCount, now: Moment) -> RestartCount:
    return replace(count, number=count.number + 1, window=count.window or now)


def add_excused(count: RestartCount, now: Moment) -> RestartCount:
    return replace(count, excused=count.excused + 1, window=count.window or now)


def compute_wait_s(count: RestartCount) -> float:
    """A port that flaps under load, or a Docker that ends again and again, must not become a storm
    of restarts.

    >>> [compute_wait_s(RestartCount(number)) for number in range(7)]
    [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    >>> compute_wait_s(RestartCount(number=1, excused=2))
    80.0
    """
    return float(min(LONGEST_WAIT_S, SHORTEST_WAIT_S * 2 ** min(count.number + count.excused, 10)))


def is_over(moment: Moment | None, now: Moment) -> bool:
    """Whether a time has come. A boot takes longer than what is waited for."""
    age_s = moment.compute_age_s(now) if moment else None
    return age_s is None or age_s >= 0


def add_s(moment: Moment, seconds: float) -> Moment:
    return replace(moment, boot_s=moment.boot_s + seconds)


def open_boot(boot: BootRecord, boot_id: str) -> BootRecord:
    """At a supervisor's start. A boot that nobody closed before this one was a power cut, or a
    machine that froze: an owner's hand on the switch."""
    is_unclean = boot.boot_id not in ("", boot_id) and not boot.is_closed
    return BootRecord(boot_id, False, boot.unclean_boots + int(is_unclean))
