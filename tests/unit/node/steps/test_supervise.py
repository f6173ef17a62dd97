"""The supervisor of a service on a node: made, known again, mended, taken away without a trace."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from node.errors import StepError
from node.host.paths import SUPERVISION, SUPERVISION_KEYS
from node.host.system import CommandResult
from node.ranks.supervisors import get_boot_link, get_supervisor_unit
from node.steps import STEPS, StepRequest, is_same, supervise, supervision_key
from node.supervision.state import SupervisionState, write_state
from node.supervision.target import SupervisedRank, SupervisionLimits, SupervisionTarget
from node.verbs import undo
from tests.support.fake_ranks import FakeRanks, add_ranks
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.node_steps import (
    format_owner,
    list_differences,
    read_have,
    run_apply,
    run_lives,
    take_snapshot,
    undo_all,
)

pytestmark = pytest.mark.usefixtures("patience")

KEY = json.dumps({"supervision_key": "5ec7e7"})
UNIT = get_supervisor_unit("qwen")
TARGET = SupervisionTarget(
    service="qwen",
    token="today-1",
    runtime="container",
    engine="vllm",
    node="spark-1",
    ranks=(SupervisedRank(0, "spark-1", "10.0.0.11", 7678, "sparkform-qwen-0"),),
    url="http://10.0.0.11:8000",
    served_name="qwen",
    key_file=None,
    over_rdma=False,
    limits=SupervisionLimits(3600, 600),
)
WANT = supervise.Want("qwen", "today-1", TARGET)
STEP, KEY_STEP = "supervise:qwen", "supervision_key:qwen"


@pytest.fixture
def fake_ranks(spark: FakeSpark) -> FakeRanks:
    claim_node(spark)
    return add_ranks(spark)


def take_supervise(fake_ranks: FakeRanks, want: supervise.Want = WANT, run: int = 1) -> list[str]:
    return run_apply(fake_ranks.spark.system, STEP, want, KEY, run=run)


def list_own_differences(fake_ranks: FakeRanks, want: supervise.Want = WANT) -> list[str]:
    return list_differences(supervise.SPEC, fake_ranks.spark.system, want, service="qwen")


def test_a_service_that_answers_is_supervised_now_and_after_a_boot(fake_ranks: FakeRanks) -> None:
    assert list_own_differences(fake_ranks) == ["service qwen is not supervised, will be"]
    take_supervise(fake_ranks)
    system = fake_ranks.spark.system
    assert fake_ranks.units[UNIT] == "active"
    assert system.read_link(get_boot_link("qwen")) == f"/etc/systemd/system/{UNIT}"
    have = read_have(supervise.SPEC, system, WANT, service="qwen")
    assert is_same(have, WANT)
    assert list_own_differences(fake_ranks) == []


def test_the_key_is_roots_alone_and_nowhere_else(fake_ranks: FakeRanks) -> None:
    take_supervise(fake_ranks)
    root = fake_ranks.spark.system.root
    holders = [path for path in root.rglob("*") if path.is_file() and "5ec7e7" in path.read_text()]
    assert holders == [fake_ranks.spark.system.path(f"{SUPERVISION}/qwen/key")]
    assert holders[0].stat().st_mode & 0o777 == 0o600
    with pytest.raises(StepError, match="key did not arrive"):
        run_apply(fake_ranks.spark.system, STEP, WANT)


def test_a_supervisor_that_runs_as_wanted_is_not_started_again(fake_ranks: FakeRanks) -> None:
    take_supervise(fake_ranks)
    calls = fake_ranks.spark.system.script.calls
    calls.clear()
    take_supervise(fake_ranks, run=2)
    assert ["systemctl", "restart", UNIT] not in calls


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("stop", "service qwen is not supervised, will be"),
        ("limits", "service qwen is supervised with other settings, will be set"),
        ("key", "service qwen is supervised with other settings, will be set"),
        ("unit", "service qwen is supervised with other settings, will be set"),
        ("link", "the supervisor of qwen does not start at boot, will be enabled"),
    ],
)
def test_what_others_change_of_it_is_said_and_put_right(
    fake_ranks: FakeRanks, change: str, line: str
) -> None:
    take_supervise(fake_ranks)
    system = fake_ranks.spark.system
    if change == "stop":
        fake_ranks.units.clear()
    elif change == "limits":
        system.put(f"{SUPERVISION}/qwen/target.json", supervise.render_target(TARGET) + " ")
    elif change == "link":
        system.remove(get_boot_link("qwen"))
    else:
        path = {"key": f"{SUPERVISION}/qwen/key", "unit": f"/etc/systemd/system/{UNIT}"}[change]
        system.remove(path)
    assert list_own_differences(fake_ranks) == [line]
    take_supervise(fake_ranks, run=2)
    assert list_own_differences(fake_ranks) == []
    assert fake_ranks.units[UNIT] == "active"


def test_new_limits_are_taken_up_by_a_supervisor_that_runs(fake_ranks: FakeRanks) -> None:
    take_supervise(fake_ranks)
    fewer = replace(TARGET, limits=replace(TARGET.limits, max_restarts=1))
    take_supervise(fake_ranks, replace(WANT, target=fewer), run=2)
    assert fake_ranks.spark.system.script.calls[-1] == ["systemctl", "restart", UNIT]


def test_a_supervisor_of_which_nothing_is_known_is_left_alone(fake_ranks: FakeRanks) -> None:
    take_supervise(fake_ranks)
    observed = supervise.observe(fake_ranks.spark.system, StepRequest(service="qwen"))
    assert observed.report is not None
    report = replace(observed.report, is_active=None)
    unknown = replace(observed, report=report)
    assert supervise.narrow(unknown, WANT) == WANT


def test_undone_it_is_ended_first_and_leaves_nothing(fake_ranks: FakeRanks) -> None:
    before = take_snapshot(fake_ranks.spark)
    take_supervise(fake_ranks)
    write_state(fake_ranks.spark.system, "qwen", SupervisionState("today-1"))
    text = json.dumps({"owner": format_owner(STEP), "want": {"token": "today-1"}})
    messages = undo.main(fake_ranks.spark.system, [STEP], text)
    assert messages[0] == f"unit {UNIT}: stopped"
    undo_all(fake_ranks.spark.system)
    claim_node(fake_ranks.spark)
    assert take_snapshot(fake_ranks.spark) == before


def test_a_supervisor_that_does_not_end_keeps_all_that_it_needs_and_says_so(
    fake_ranks: FakeRanks,
) -> None:
    take_supervise(fake_ranks)
    commands = fake_ranks.spark.system.script.commands
    commands["systemctl", "stop"] = lambda argv, stdin: CommandResult(1, "", "Timed out\n")
    text = json.dumps({"owner": format_owner(STEP), "want": {"token": "today-1"}})
    with pytest.raises(StepError, match=r"supervisor qwen: .* failed: Timed out"):
        undo.main(fake_ranks.spark.system, [STEP], text)


def test_each_run_has_a_key_of_its_own_that_stays_while_it_lasts(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system

    def take_key(token: str, run: int) -> str:
        (line,) = run_apply(system, KEY_STEP, supervision_key.Want("qwen", token), run=run)
        return str(json.loads(line)["supervision_key"])

    first = take_key("today-1", 1)
    assert take_key("today-1", 2) == first
    assert take_key("today-2", 3) != first
    state = system.get_state(f"{SUPERVISION_KEYS}/qwen")
    assert state is not None
    assert state.mode == 0o600
    system.put(f"{SUPERVISION_KEYS}/qwen", "{")
    assert supervision_key.observe(system, StepRequest(service="qwen")).token == ""


STORIES: dict[str, tuple[Any, str]] = {
    STEP: (WANT, KEY),
    KEY_STEP: (supervision_key.Want("qwen", "today-1"), ""),
}


@pytest.mark.parametrize("step", STORIES)
def test_killed_at_any_effect_it_converges_and_undo_gives_the_machine_back(
    step: str, make_spark: Any
) -> None:
    def build_spark() -> FakeSpark:
        fake_spark: FakeSpark = make_spark()
        claim_node(fake_spark)
        add_ranks(fake_spark)
        return fake_spark

    def apply_step(fake_spark: FakeSpark) -> None:
        want, secret = STORIES[step]
        run_apply(fake_spark.system, step, want, secret)

    before = take_snapshot(build_spark())
    for fake_spark in run_lives(build_spark, apply_step):
        apply_step(fake_spark)
        want = STORIES[step][0]
        assert list_differences(STEPS[step], fake_spark.system, want, service="qwen") == []
        undo_all(fake_spark.system)
        claim_node(fake_spark)
        assert take_snapshot(fake_spark) == before


def test_keys_of_services_are_no_state_of_a_look_that_names_none(fake_ranks: FakeRanks) -> None:
    """The folder of all keys is there, and no file: it must not make the look fail."""
    run_apply(fake_ranks.spark.system, KEY_STEP, supervision_key.Want("qwen", "today-1"))
    system = fake_ranks.spark.system
    assert system.list_names(SUPERVISION_KEYS) == ["qwen"]
    assert supervision_key.observe(system, StepRequest()).token == ""
    assert supervision_key.observe(system, StepRequest(service="qwen")).token == "today-1"
