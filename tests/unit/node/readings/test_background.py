"""A reading that hangs or fails keeps nothing else from being read."""

from __future__ import annotations

import doctest
import threading
from typing import Any

import pytest

from node.errors import StepError
from node.facts.reading import UnreadableFact
from node.host.waiting import wait_until
from node.readings import measure
from node.readings.background import UNANSWERED, BackgroundReading
from node.readings.measure import Unread, read_guarded

LONG_S = 60.0


def read_now(reading: BackgroundReading[Any], limit_s: float = LONG_S) -> object:
    reading.start()
    return reading.get(limit_s)


def test_while_one_hangs_no_second_one_is_started() -> None:
    release = threading.Event()
    reading = BackgroundReading(lambda: release.wait(LONG_S))
    assert read_now(reading, 0.05) == UNANSWERED
    before = threading.active_count()
    assert read_now(reading, 0.05) == UNANSWERED
    assert threading.active_count() == before
    release.set()
    assert wait_until(lambda: read_now(reading, 0.05) is True, 5, 0.05)


@pytest.mark.parametrize(("keep_s", "value"), [(0.0, UNANSWERED), (LONG_S, 1)])
def test_an_older_value_stands_in_for_a_late_one_where_it_may(keep_s: float, value: object) -> None:
    release, values = threading.Event(), iter([1])

    def read() -> int:
        newest = next(values, None)
        return newest or int(release.wait(LONG_S))

    reading = BackgroundReading(read, keep_s=keep_s)
    assert read_now(reading) == 1
    assert read_now(reading, 0.05) == value
    release.set()


def test_what_was_never_started_is_unread() -> None:
    assert BackgroundReading(lambda: 1).get(0.05) == UNANSWERED


def test_what_has_ended_is_not_read_twice() -> None:
    values = iter(range(10))
    reading = BackgroundReading(lambda: next(values))
    assert [read_now(reading), reading.get(LONG_S)] == [0, 0]


def test_within_the_pause_nothing_is_read_again() -> None:
    values = iter(range(10))
    paused = BackgroundReading(lambda: next(values), pause_s=LONG_S)
    assert [read_now(paused) for _ in range(3)] == [0, 0, 0]
    prompt = BackgroundReading(lambda: next(values))
    assert [read_now(prompt) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (UnreadableFact("nvidia-smi: exit 9"), "nvidia-smi: exit 9"),
        (StepError("Docker does not answer."), "Docker does not answer."),
        (PermissionError(13, "Permission denied", "/proc/x"), "/proc/x: Permission denied"),
        (OSError("odd"), "OSError"),
        (KeyError("a defect of ours"), "failed with KeyError"),
    ],
)
def test_every_failure_is_a_reason(error: Exception, why: str) -> None:
    def fail() -> object:
        raise error

    assert read_guarded(fail) == Unread(why)
    assert read_now(BackgroundReading(fail)) == Unread(why)
    assert doctest.testmod(measure).failed == 0
