"""A change of a service that serves, and each fault before and in the middle of it: what a check
could have saved is never down, and what no check could tell serves again by itself.

The tests of one runtime share a stack that is up; each leaves it up, and the last one destroys it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rack.conftest import RackFactory
from tests.rack.test_supervised_services import SupervisedService, start_service
from tests.support.deployment import PulumiOutcome
from tests.support.digest import compute_digest, list_changes
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

NAME = "qwen"
RUNTIMES = ("container", "native")
FAILS = {"environment": {"TINY_FAILS": "1"}}
BEFORE = {
    "link-down": ("spark-2", "enp1s0f0np0"),
    "disk-full": ("spark-2",),
    "gpu-gone": ("spark-2",),
    "off": ("spark-2",),
}
"""Whose rank ends with them: the others of its service follow, and come back after the fault."""
ENDS_A_RANK = ("off",)
STOPPED_S = 120.0


@pytest.fixture(scope="module", params=RUNTIMES)
def supervised(
    request: pytest.FixtureRequest, rack: RackFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SupervisedService]:
    folder = tmp_path_factory.mktemp(request.param)
    service = start_service(rack(nodes=2, fabric="direct"), request.param, folder)
    yield service
    service.deployment.destroy()


def try_change(supervised: SupervisedService, **keys: Any) -> PulumiOutcome:
    """`up` with these keys, which are then taken back in the stack file."""
    block = dict(supervised.deployment.services[NAME])
    supervised.deployment.services[NAME] |= keys
    try:
        return supervised.deployment.run("up", "--yes", "--skip-preview")
    finally:
        supervised.deployment.services[NAME] = block


@pytest.mark.parametrize("fault", BEFORE)
def test_a_fault_before_a_change_stops_nothing(supervised: SupervisedService, fault: str) -> None:
    token = supervised.token
    supervised.rack.break_(fault, *BEFORE[fault])
    try:
        outcome = try_change(supervised, gpuMemoryUtilization=0.4)
        assert outcome.exit_code != 0
        if fault not in ENDS_A_RANK:
            assert supervised.is_answering()
    finally:
        supervised.rack.mend(fault, *BEFORE[fault][:2])
    supervised.await_answers()
    assert supervised.token == token, "it is the run of before"
    supervised.deployment.up()
    supervised.await_answers()


def test_a_docker_that_is_stopped_is_started_first(supervised: SupervisedService) -> None:
    supervised.rack.break_("docker-stop", "spark-2")
    try:
        assert try_change(supervised, gpuMemoryUtilization=0.4).exit_code == 0
    finally:
        supervised.rack.mend("docker-stop", "spark-2")
    supervised.deployment.up()
    supervised.await_answers()


def test_a_launch_that_fails_is_followed_by_the_one_before_it(
    supervised: SupervisedService,
) -> None:
    token = supervised.token
    outcome = try_change(supervised, **FAILS)
    assert outcome.exit_code != 0
    messages = "\n".join([*outcome.errors, *outcome.printed])
    assert "The launch that served before serves again." in messages
    assert "take the change back in the stack file" in messages
    supervised.await_answers()
    assert supervised.token == token


def test_the_next_preview_names_the_change_and_why_it_failed(
    supervised: SupervisedService,
) -> None:
    supervised.deployment.services[NAME] |= FAILS
    messages = "\n".join(supervised.deployment.preview().messages)
    assert f"service {NAME}: TINY_FAILS is unset, will be 1" in messages
    assert "its last change failed, so the launch before it serves again" in messages
    del supervised.deployment.services[NAME]["environment"]
    supervised.deployment.up()
    supervised.await_answers()
    assert supervised.deployment.up().changed == set()


def test_a_second_try_that_fails_goes_back_to_the_same_launch(
    supervised: SupervisedService,
) -> None:
    token = supervised.token
    for _ in range(2):
        assert try_change(supervised, **FAILS).exit_code != 0
        supervised.await_answers()
        assert supervised.token == token
    supervised.deployment.up()
    assert supervised.deployment.up().changed == set()


def test_with_stay_it_is_down_and_one_up_starts_it(supervised: SupervisedService) -> None:
    outcome = try_change(supervised, onFailure="stay", **FAILS)
    assert outcome.exit_code != 0
    assert not supervised.is_answering()
    supervised.deployment.up()
    supervised.await_answers()


def test_a_node_that_goes_off_in_the_middle_of_a_change_is_mended_by_one_up(
    supervised: SupervisedService,
) -> None:
    outcomes: list[PulumiOutcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(try_change(supervised, **FAILS)))
    thread.start()
    wait_until(lambda: not supervised.is_answering(), "the change stops nothing", STOPPED_S)
    supervised.rack.break_("off", "spark-2")
    thread.join()
    assert outcomes[0].exit_code != 0
    supervised.rack.mend("off", "spark-2")
    supervised.deployment.up()
    supervised.await_answers()
    assert supervised.deployment.up().changed == set()


def test_destroy_gives_the_machines_back(supervised: SupervisedService) -> None:
    try_change(supervised, **FAILS)
    supervised.deployment.destroy()
    assert list_changes(supervised.before, compute_digest(supervised.rack)) == []
