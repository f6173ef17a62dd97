"""What supervisors read and write: typed, and honest about what is not known."""

from __future__ import annotations

import doctest
import json
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import StepError
from node.host.paths import BOOT_ID
from node.host.system import CommandResult
from node.host.typed_json import parse, to_json
from node.supervision import gpu_power, paths, restarts
from node.supervision.moment import Moment, read_moment
from node.supervision.report import (
    LiveFigures,
    LiveState,
    build_report,
    read_report,
    read_reports,
    write_live,
)
from node.supervision.state import (
    CoordinatorRecord,
    MemberRecord,
    RankFailure,
    RecordedRun,
    SupervisionState,
    read_state,
    write_state,
)
from node.supervision.target import read_key, read_target
from tests.support.fake_system import FakeSystem
from tests.unit.node.supervision.conftest import TARGET, build_target

NOW = Moment("boot-1", 100.0)
STATE = SupervisionState(
    "4be1-1",
    MemberRecord(3, "boot-1", RecordedRun(3, "c0ffee@1", Moment("boot-1", 80.0))),
    coordinator=CoordinatorRecord(
        3,
        "recovering",
        "stopping",
        Moment("boot-1", 90.0),
        failure=RankFailure("exit code 137 (SIGKILL)", 1, "spark-2", 1.0),
    ),
)
LIVE = LiveState("4be1-1", Moment("boot-1", 98.0), "serving", 50.0, "", LiveFigures(2.0, 1.0))


def test_the_target_says_who_this_node_is_in_the_group() -> None:
    head, worker = build_target(), build_target(node="spark-2")
    assert (head.is_coordinator, worker.is_coordinator) == (True, False)
    assert [target.local_rank and target.local_rank.rank for target in (head, worker)] == [0, 1]
    swarm = {"node": "spark-3", "address": "10.0.0.3", "port": 7680}
    manager = build_target(node="spark-3", runtime="swarm", swarm_head=swarm)
    assert manager.is_swarm_head
    assert manager.local_rank is None
    assert not head.is_swarm_head


def test_a_target_that_cannot_be_read_says_what_to_do(system: FakeSystem) -> None:
    assert read_target(system, "qwen") == build_target()
    for text in ("{", '{"service": "qwen"}', json.dumps({**TARGET, "ranks": TARGET["ranks"][1:]})):
        system.put(paths.get_target_path("qwen"), text)
        with pytest.raises(StepError, match=r"target\.json.*`pulumi up` writes it again"):
            read_target(system, "qwen")
    with pytest.raises(StepError, match=r"other/target\.json is missing"):
        read_target(system, "other")


def test_the_key_must_be_there(system: FakeSystem) -> None:
    with pytest.raises(StepError, match="key is missing or empty"):
        read_key(system, "qwen")
    system.put(paths.get_key_path("qwen"), "s3cret\n")
    assert read_key(system, "qwen") == "s3cret"


def test_the_state_is_written_for_root_alone_and_read_again(system: FakeSystem) -> None:
    assert read_state(system, "qwen") is None
    write_state(system, "qwen", STATE)
    assert read_state(system, "qwen") == STATE
    state = system.get_state(paths.get_state_path("qwen"))
    assert state is not None
    assert state.mode == 0o600


@given(st.text())
def test_a_damaged_state_is_not_known(text: str) -> None:
    class Disk(FakeSystem):
        def read(self, absolute: str) -> str | None:
            return text

    assert read_state(Disk(), "qwen") is None


@given(st.integers(1, 9), st.sampled_from([None, "c0ffee@1"]), st.floats(0, 1e9))
def test_a_state_survives_its_file(epoch: int, run_id: str | None, boot_s: float) -> None:
    member = MemberRecord(epoch, None, RecordedRun(epoch, run_id, NOW))
    record = CoordinatorRecord(epoch, since=Moment("b", boot_s))
    state = SupervisionState("t", member, coordinator=record)
    assert parse(SupervisionState, json.loads(json.dumps(to_json(state))), "state") == state


def test_an_age_over_a_boot_is_not_known() -> None:
    assert NOW.compute_age_s(Moment("boot-1", 130.0)) == 30.0
    assert NOW.compute_age_s(Moment("boot-2", 130.0)) is None


def test_a_report_shows_state_and_fresh_figures() -> None:
    report = build_report(build_target(), True, STATE, LIVE, NOW)
    assert (report.phase, report.phase_age_s, report.epoch) == ("recovering", 10.0, 3)
    assert report.last_failure == RankFailure("exit code 137 (SIGKILL)", 1, "spark-2", 1.0)
    assert report.figures == LiveFigures(2.0, 1.0)
    assert report.is_live


@pytest.mark.parametrize("now", [Moment("boot-1", 200.0), Moment("boot-2", 99.0)])
def test_old_figures_are_not_those_of_now(now: Moment) -> None:
    report = build_report(build_target(), True, STATE, LIVE, now)
    assert report.figures == LiveFigures()
    assert not report.is_live


def test_a_follower_reports_the_phase_that_it_was_told() -> None:
    state = replace(STATE, coordinator=None)
    report = build_report(build_target(node="spark-2"), True, state, LIVE, NOW)
    assert (report.phase, report.phase_age_s, report.rank) == ("serving", 50.0, 1)
    assert build_report(build_target(), True, state, None, NOW).phase is None


def test_a_node_reports_each_supervised_service(system: FakeSystem) -> None:
    system.script.commands[("systemctl", "is-active")] = lambda argv, stdin: CommandResult(
        0 if argv[-1] == "sparkform-supervisor@qwen.service" else 3, "", ""
    )
    system.put(BOOT_ID, read_moment(system).boot_id)
    write_state(system, "qwen", STATE)
    write_live(system, "qwen", replace(LIVE, written=read_moment(system)))
    report = read_reports(system)["qwen"]
    assert (report.is_active, report.is_live, report.unknown) == (True, True, None)
    assert read_report(system, "other") is None


@pytest.mark.parametrize(("code", "is_active"), [(0, True), (3, False), (4, False), (1, None)])
def test_a_systemd_that_does_not_say_is_not_taken_for_a_no(
    system: FakeSystem, code: int, is_active: bool | None
) -> None:
    system.script.commands[("systemctl", "is-active")] = lambda argv, stdin: CommandResult(
        code, "", "Failed to connect to bus"
    )
    assert read_reports(system)["qwen"].is_active is is_active


def test_a_report_of_what_cannot_be_read_says_so(system: FakeSystem) -> None:
    system.script.commands[("systemctl", "is-active")] = lambda argv, stdin: CommandResult(
        3, "", ""
    )
    report = read_reports(system)["qwen"]
    assert report.unknown == "the supervisor has not written its state"
    system.put(paths.get_target_path("qwen"), "{")
    damaged = read_reports(system)["qwen"]
    assert "target.json" in (damaged.unknown or "")
    write_state(system, "qwen", replace(STATE, token="other"))
    system.put(paths.get_target_path("qwen"), json.dumps(TARGET))
    assert read_reports(system)["qwen"].epoch == 0


@pytest.mark.parametrize("module", [gpu_power, restarts])
def test_the_examples_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
