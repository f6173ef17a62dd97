"""Conditions that come in time, and those that do not."""

from __future__ import annotations

from node.host.waiting import wait_until, wait_while


def test_a_condition_that_holds_is_not_waited_for(patience: list[float]) -> None:
    assert wait_until(lambda: "yes", 60) == "yes"
    assert wait_while(lambda: [], 60) == []
    assert patience == []


def test_a_condition_is_waited_for_until_it_holds(patience: list[float]) -> None:
    assert wait_until(lambda: sum(patience) >= 3, 60, pause_s=1)
    assert patience == [1, 1, 1]


def test_the_last_value_is_what_was_missing_at_the_end(patience: list[float]) -> None:
    assert wait_while(lambda: ["spark-2"], 3, pause_s=1) == ["spark-2"]
    assert wait_until(lambda: None, 2, pause_s=1) is None
    assert sum(patience) == 5


def test_a_condition_is_asked_once_even_without_time(patience: list[float]) -> None:
    calls: list[int] = []
    assert not wait_until(lambda: calls.append(1), -1)
    assert (calls, patience) == ([1], [])
