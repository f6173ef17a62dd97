"""Whoever ends ranks ends their supervisors first: nothing starts a rank again behind its back."""

from __future__ import annotations

import json

import pytest

from node.errors import StepError
from node.host.paths import SUPERVISION
from node.host.system import CommandResult
from node.ranks import stopping, supervisors
from node.verbs import clear
from tests.support.fake_ranks import FakeRanks, add_ranks
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.node_steps import run_apply

pytestmark = pytest.mark.usefixtures("patience")

UNIT = supervisors.get_supervisor_unit("qwen")


@pytest.fixture
def fake_ranks(spark: FakeSpark) -> FakeRanks:
    claim_node(spark)
    return add_ranks(spark)


def supervise(fake_ranks: FakeRanks, service: str = "qwen", token: str = "today-1") -> None:
    """A service whose supervisor runs, and would at boot."""
    system, unit = fake_ranks.spark.system, supervisors.get_supervisor_unit(service)
    system.put(f"{SUPERVISION}/{service}/target.json", json.dumps({"token": token}))
    system.link(supervisors.get_boot_link(service), f"/etc/systemd/system/{unit}")
    fake_ranks.units[unit] = "active"


def stop_previous(fake_ranks: FakeRanks, token: str, rank: int | None = 0) -> list[str]:
    want: dict[str, object] = {"service": "qwen", "token": token, "rank": rank}
    want |= {"ports": [], "launch": None}
    return run_apply(fake_ranks.spark.system, "stop_previous:qwen", want)


def test_a_new_run_ends_the_supervisor_before_the_rank_that_it_would_start_again(
    fake_ranks: FakeRanks,
) -> None:
    supervise(fake_ranks)
    fake_ranks.add_container("running")
    messages = stop_previous(fake_ranks, "today-2")
    assert messages == [f"unit {UNIT}: stopped", "container running: removed"]
    assert fake_ranks.stopped == [UNIT, "running"]
    system = fake_ranks.spark.system
    assert system.read_link(supervisors.get_boot_link("qwen")) is None, "not at boot either"


def test_a_run_that_goes_on_keeps_its_supervisor(fake_ranks: FakeRanks) -> None:
    supervise(fake_ranks)
    fake_ranks.add_container("running")
    assert stop_previous(fake_ranks, "today-1") == ["nothing to do"]
    assert fake_ranks.units[UNIT] == "active"


def test_the_supervisor_of_a_service_that_leaves_the_node_ends_too(fake_ranks: FakeRanks) -> None:
    supervise(fake_ranks, "gemma", "x-1")
    stop_previous(fake_ranks, "today-2", rank=None)
    assert fake_ranks.stopped == [], "a manager without a rank ends only the service's own"
    stop_previous(fake_ranks, "today-2")
    assert fake_ranks.stopped == [supervisors.get_supervisor_unit("gemma")]


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"token": 3})])
def test_a_supervisor_whose_run_is_unknown_is_none_of_the_new_run(
    fake_ranks: FakeRanks, text: str
) -> None:
    supervise(fake_ranks)
    fake_ranks.spark.system.put(f"{SUPERVISION}/qwen/target.json", text)
    stop_previous(fake_ranks, "today-1")
    assert fake_ranks.stopped == [UNIT]


def test_a_step_that_disturbs_ends_the_supervisor_before_the_rank(fake_ranks: FakeRanks) -> None:
    supervise(fake_ranks)
    fake_ranks.add_container("running")
    stopping.stop_ranks(fake_ranks.spark.system, lambda item: item.service == "qwen")
    assert fake_ranks.stopped == [UNIT, "running"]


def test_one_that_has_just_failed_is_stopped_as_it_would_come_back(fake_ranks: FakeRanks) -> None:
    supervise(fake_ranks)
    fake_ranks.units[UNIT] = "activating"
    clear.main(fake_ranks.spark.system, ["qwen"], "")
    assert fake_ranks.stopped == [UNIT]


def test_what_dockerd_starts_late_for_a_supervisor_is_removed_as_well(
    fake_ranks: FakeRanks,
) -> None:
    supervise(fake_ranks)
    fake_ranks.add_container("first")
    answer = fake_ranks.answer

    def answer_late(method: str, path: str, body: object) -> object:
        response = answer(method, path, body)
        if method == "DELETE" and path.startswith("/containers/first"):
            fake_ranks.add_container("late")
        return response

    fake_ranks.spark.system.script.requests["*", "*"] = answer_late  # type: ignore[assignment]
    clear.main(fake_ranks.spark.system, ["qwen"], "")
    assert fake_ranks.containers == {}


def test_one_that_does_not_end_stops_nothing_else(fake_ranks: FakeRanks) -> None:
    supervise(fake_ranks)
    fake_ranks.add_container("running")
    commands = fake_ranks.spark.system.script.commands
    commands["systemctl", "stop"] = lambda argv, stdin: CommandResult(1, "", "Timed out\n")
    with pytest.raises(StepError, match=r"systemctl stop sparkform-supervisor@qwen.* Timed out"):
        stop_previous(fake_ranks, "today-2")
    assert list(fake_ranks.containers) == ["running"]
