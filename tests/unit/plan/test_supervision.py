"""What a plan does while a service is supervised: what comes back by itself is left alone, what
does not is started anew, and of what nobody knows nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.ranks.rank import CONTAINER, SWARM_SERVICE, UNIT
from node.steps import supervise
from node.supervision.report import ENDED_PHASES, SERVING_PHASES, SupervisionReport
from node.supervision.state import Phase
from node.supervision.target import SupervisionTarget
from sparkform.launch.records import Runtime, hash_launches
from sparkform.plan.runs import STARTED_KINDS, ServiceRun, decide_run
from sparkform.plan.service_state import RankObject, ServiceState
from sparkform.plan.supervision import ABSENT, ServiceSupervision, judge_report
from sparkform.report.facts import NodeReport, UnreadableItem
from tests.support.planning import load_reports
from tests.unit.plan.test_runs import NEXT_RUN, build_launch
from tests.unit.plan.test_services import (
    SERVICE,
    add_states,
    apply_plan,
    build_declaration_with,
    build_plan,
    build_service_declaration,
    describe_supervised,
    list_changing,
)

Reports = dict[str, NodeReport]
PHASES = get_args(Phase)
KEEPING_PHASES = tuple(phase for phase in PHASES if phase not in ENDED_PHASES)
RUNTIMES: tuple[Runtime, ...] = ("container", "swarm", "native")


def build_targets(services: dict[str, Any]) -> dict[str, SupervisionTarget]:
    """By service, that of spark-2."""
    plan = build_plan(build_declaration_with(services), load_reports("direct-2-up"))
    targets = {}
    for name, service in plan.services.items():
        (stage,) = [stage for stage in service.after if stage.kind == "supervise"]
        want = stage.steps["spark-2"].want
        assert isinstance(want, supervise.Want)
        targets[name] = want.target
    return targets


def test_services_on_one_node_know_who_starts_first_and_which_ports_are_theirs() -> None:
    wide = SERVICE | {"gpuMemoryUtilization": 0.3}
    small = wide | {"nodes": ["spark-2"], "tensorParallel": 1, "port": 8001, "servedName": "s"}
    targets = build_targets({"wide": wide, "small": small})
    assert {name: target.earlier for name, target in targets.items()} == {
        "wide": (),
        "small": ("wide",),
    }
    assert {entry.port for entry in targets["wide"].ranks} == {7678}
    ports = {
        name: [[use["number"] for use in entry.ports] for entry in target.ranks]
        for name, target in targets.items()
    }
    assert 8000 in ports["wide"][0]
    assert 8001 in ports["small"][0]
    for target in targets.values():
        for entry in target.ranks:
            assert entry.port not in [use["number"] for use in entry.ports]


def build_report(token: str, **fields: Any) -> SupervisionReport:
    values: dict[str, Any] = {"is_active": True, "phase": "recovering", "epoch": 3, "restarts": 1}
    return SupervisionReport("qwen", token=token, **values | fields)


def build_state(
    runtime: Runtime, alive: tuple[bool, ...], supervision: ServiceSupervision
) -> tuple[tuple[Any, ...], ServiceState]:
    """Ranks of one run on a node each, all of them there. In the Swarm the containers of those that
    are not alive are gone."""
    launches = tuple(build_launch(rank, runtime) for rank in range(len(alive)))
    token = f"{hash_launches(launches)}-4"
    objects = [
        RankObject(f"spark-{rank + 1}", STARTED_KINDS[runtime], rank, token, is_alive)
        for rank, is_alive in enumerate(alive)
    ]
    if runtime == "swarm":
        objects += [
            RankObject(f"spark-{rank + 1}", CONTAINER, rank, token, True)
            for rank, is_alive in enumerate(alive)
            if is_alive
        ]
    if supervision.token:
        supervision = replace(supervision, token=token)
    return launches, ServiceState(tuple(objects), (token,), token, supervision=supervision)


def decide(
    launches: tuple[Any, ...], state: ServiceState, stop_reasons: tuple[str, ...] = ()
) -> ServiceRun:
    return decide_run(launches, state, [], stop_reasons, NEXT_RUN)


ALIVE = st.lists(st.booleans(), min_size=1, max_size=8).map(tuple)
ANY_RUNTIME = st.sampled_from(RUNTIMES)


@given(ANY_RUNTIME, ALIVE, st.sampled_from(KEEPING_PHASES))
def test_what_its_supervisor_brings_back_is_left_to_it(
    runtime: Runtime, alive: tuple[bool, ...], phase: str
) -> None:
    supervision = judge_report(build_report("today", phase=phase))
    launches, state = build_state(runtime, alive, supervision)
    run = decide(launches, state)
    assert (run.token, run.lines) == (state.completed_token, ())
    serves = phase in SERVING_PHASES and all(alive)
    assert bool(run.notes) != serves, "whatever is not as it should be is said"


@given(ANY_RUNTIME, ALIVE, st.sampled_from(ENDED_PHASES))
def test_what_no_supervisor_starts_any_more_gets_a_new_run(
    runtime: Runtime, alive: tuple[bool, ...], phase: str
) -> None:
    supervision = judge_report(build_report("today", phase=phase, detail="rank 1 is gone"))
    launches, state = build_state(runtime, alive, supervision)
    run = decide(launches, state)
    assert run.token != state.completed_token
    assert "rank 1 is gone, will be restarted" in run.lines[0]


UNKNOWN_REPORTS = st.sampled_from(
    [
        build_report("today", unknown="state.json cannot be read"),
        build_report("today", phase=None),
        build_report("today", is_active=None),
    ]
)


@given(ALIVE, UNKNOWN_REPORTS)
def test_unknown_supervision_keeps_no_run_and_ends_none_that_is_alive(
    alive: tuple[bool, ...], report: SupervisionReport
) -> None:
    launches, state = build_state("container", alive, judge_report(report))
    assert bool(decide(launches, state).lines) != all(alive)


@given(ANY_RUNTIME, ALIVE, st.sampled_from(KEEPING_PHASES), st.data())
def test_a_rank_of_which_nothing_is_left_is_made_anew_by_up(
    runtime: Runtime, alive: tuple[bool, ...], phase: str, data: st.DataObject
) -> None:
    launches, state = build_state(runtime, alive, judge_report(build_report("today", phase=phase)))
    gone = data.draw(st.integers(0, len(alive) - 1))
    state = replace(state, objects=tuple(item for item in state.objects if item.rank != gone))
    assert decide(launches, state).lines


@given(ANY_RUNTIME, ALIVE.filter(lambda alive: not all(alive)))
def test_without_an_active_supervisor_a_dead_rank_starts_all_again(
    runtime: Runtime, alive: tuple[bool, ...]
) -> None:
    inactive = judge_report(build_report("today", is_active=False))
    assert inactive == ABSENT
    launches, state = build_state(runtime, alive, inactive)
    assert decide(launches, state).lines


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_supervisor_of_another_run_keeps_nothing_of_this_one(runtime: Runtime) -> None:
    supervision = judge_report(build_report("today"))
    launches, state = build_state(runtime, (False, False), supervision)
    other = replace(state, supervision=replace(supervision, token="another-3"))
    assert decide(launches, other).lines


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_change_takes_over_from_a_supervisor(runtime: Runtime) -> None:
    launches, state = build_state(runtime, (False, True), judge_report(build_report("today")))
    run = decide(launches, state, ("spark-2 docker_daemon changes",))
    assert run.lines[0] == "spark-2 docker_daemon changes"
    changed = (replace(launches[0], argv=("serve", "--other")), *launches[1:])
    assert decide(changed, state).lines


def test_a_supervised_service_that_serves_is_restarted_by_nothing_that_is_not_its_own() -> None:
    """Its supervisor was killed: the step that starts it again is enough."""
    launches, state = build_state("container", (True, True), ABSENT)
    assert decide(launches, state).lines == ()


def test_a_node_whose_rank_may_come_back_at_any_time_counts_as_serving() -> None:
    for supervision, expected in ((judge_report(build_report("today")), True), (ABSENT, False)):
        _, state = build_state("native", (False,), supervision)
        assert state.may_run_on("spark-1") is expected
        assert not state.may_run_on("spark-2")


def test_the_kinds_that_are_started_are_those_of_the_runtimes() -> None:
    assert STARTED_KINDS == {"container": CONTAINER, "swarm": SWARM_SERVICE, "native": UNIT}


@pytest.fixture
def up() -> Reports:
    reports = load_reports("direct-2-up")
    return apply_plan(build_plan(build_service_declaration(), reports), reports)


def report_phase(up: Reports, *, alive: bool, **report: Any) -> Reports:
    """Both nodes' supervisors say so; the ranks are alive or have ended."""
    service = build_plan(build_service_declaration(), up).services["qwen"]
    reports = {}
    for node, node_report in up.items():
        observed: Any = node_report.steps["stop_previous:qwen"]
        members = [{**member, "alive": alive} for member in observed["members"]]
        reports[node] = add_states(
            node_report,
            stop_previous__qwen={"members": members},
            supervise__qwen=describe_supervised(service, node, **report),
        )
    return reports


def test_a_plan_in_the_middle_of_a_recovery_changes_nothing_and_says_so(up: Reports) -> None:
    reports = report_phase(up, alive=False, phase="recovering", epoch=2, restarts=1)
    plan = build_plan(build_service_declaration(), reports)
    service = plan.services["qwen"]
    assert (list_changing(plan), service.lines) == (set(), ())
    assert service.notes == (
        "service qwen: is recovering (epoch 2, 1 restart); nothing of it is changed",
    )


def test_a_service_that_was_given_up_is_started_by_a_plain_up(up: Reports) -> None:
    reports = report_phase(
        up, alive=False, phase="gave-up", epoch=5, restarts=4, detail="rank 1 was killed"
    )
    service = build_plan(build_service_declaration(), reports).services["qwen"]
    assert service.lines[0] == (
        "service qwen: was given up (epoch 5, 4 restarts): rank 1 was killed, will be restarted"
    )


def test_a_killed_supervisor_is_started_again_and_the_service_is_not(up: Reports) -> None:
    reports = report_phase(up, alive=True, is_active=False)
    plan = build_plan(build_service_declaration(), reports)
    assert plan.services["qwen"].lines == ()
    assert list_changing(plan) == {"spark-1 supervise:qwen", "spark-2 supervise:qwen"}


def test_another_limit_restarts_no_rank(up: Reports) -> None:
    plan = build_plan(build_service_declaration(maxRestarts=1, restartPolicy="none"), up)
    assert plan.services["qwen"].lines == ()
    assert list_changing(plan) == {"spark-1 supervise:qwen", "spark-2 supervise:qwen"}


def test_where_nothing_is_to_be_restarted_a_dead_rank_is_a_matter_of_up(up: Reports) -> None:
    reports = report_phase(up, alive=False, phase="serving")
    declaration = build_service_declaration(restartPolicy="none")
    assert build_plan(declaration, reports).services["qwen"].lines


UNKNOWN = [{"unknown": "state.json cannot be read"}, {"phase": None}, {"is_active": None}]


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("report", UNKNOWN)
@pytest.mark.parametrize("changes", [{}, {"gpuMemoryUtilization": 0.4}])
def test_of_a_service_with_a_dead_rank_and_unknown_supervision_nothing_changes(
    up: Reports, alive: bool, report: dict[str, Any], changes: dict[str, Any]
) -> None:
    reports = report_phase(up, alive=alive, **report)
    plan = build_plan(build_service_declaration(**changes), reports)
    service = plan.services["qwen"]
    if alive:
        assert (service.unknown is None, bool(service.lines)) == (True, bool(changes))
        return
    assert all(step.is_held for step in service.steps)
    assert service.token == up_token(up)
    assert service.lines[0].startswith("service qwen: unknown (spark-1 supervise: ")
    assert service.lines[0].endswith("; not changed in this run")


def up_token(up: Reports) -> str:
    return build_plan(build_service_declaration(), up).services["qwen"].token


def test_supervision_that_was_not_read_is_unknown(up: Reports) -> None:
    reports = report_phase(up, alive=False, phase="recovering")
    unread = UnreadableItem(what="step supervise:qwen", why="no answer in 4.8 s")
    head = reports["spark-1"]
    steps = {name: state for name, state in head.steps.items() if name != "supervise:qwen"}
    reports["spark-1"] = head.model_copy(update={"steps": steps, "unreadable": (unread,)})
    service = build_plan(build_service_declaration(), reports).services["qwen"]
    assert all(step.is_held for step in service.steps)
    assert "no answer in 4.8 s" in service.lines[0]
