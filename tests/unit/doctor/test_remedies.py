"""What `doctor --fix` offers: one safe command a finding, none where a node is not known."""

from __future__ import annotations

import pytest

from sparkform.doctor.check import Check
from sparkform.doctor.machine import CLOCK_COMMAND
from sparkform.doctor.remedies import Remedy, list_remedies
from sparkform.doctor.supervision import RESTART_FIX, UP_FIX

CLOCK = Check("spark-1", "clock", "warn", "correct now", f"`{CLOCK_COMMAND}`; look at it")
GIVEN_UP = Check("spark-1", "supervision qwen", "fail", "was given up", RESTART_FIX)
FILE = "Pulumi.lab.yaml"
RESTART = Remedy("spark-1", f"sparkform restart {FILE} qwen", "restart", {"service": "qwen"})


def test_a_clock_that_nobody_keeps_and_a_service_that_was_given_up_are_offered() -> None:
    remedies = list_remedies([CLOCK, GIVEN_UP], FILE)
    assert remedies == (Remedy("spark-1", CLOCK_COMMAND, "set_ntp"), RESTART)


def test_one_command_is_offered_once() -> None:
    later = Check("spark-1", "clock", "fail", "+9 s", f"`{CLOCK_COMMAND}`; check this machine's")
    assert len(list_remedies([CLOCK, later], FILE)) == 1


@pytest.mark.parametrize("name", ["docker", "not read"])
def test_a_node_of_which_something_is_unknown_is_left_alone(name: str) -> None:
    unread = Check("spark-1", name, "warn", "unknown: no answer in 4.8 s")
    assert list_remedies([GIVEN_UP, unread, CLOCK], FILE) == ()
    elsewhere = Check("spark-2", name, "warn", "unknown: no answer in 4.8 s")
    assert len(list_remedies([GIVEN_UP, elsewhere, CLOCK], FILE)) == 2


@pytest.mark.parametrize(
    "check",
    [
        Check("spark-1", "supervision qwen", "warn", "is paused", RESTART_FIX),
        Check("spark-1", "supervision qwen", "fail", "needs `pulumi up`", UP_FIX),
        Check("spark-1", "clock", "ok", "synchronized"),
        Check(None, "clocks", "warn", "differ", f"`{CLOCK_COMMAND}` on both"),
        Check("spark-1", "swarm members", "fail", "down", "`sudo systemctl restart docker`"),
    ],
)
def test_whatever_may_end_something_or_is_no_fault_is_not_offered(check: Check) -> None:
    assert list_remedies([check], FILE) == ()
