"""When a service's ranks run as declared, and what is said where they do not."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from node.ranks.rank import CONTAINER, SWARM_SERVICE, UNIT
from sparkform.launch.records import Launch, Runtime, hash_launches
from sparkform.plan.runs import decide_run
from sparkform.plan.service_state import RankObject, ServiceState


def build_launch(rank: int = 0, runtime: Runtime = "container", **fields: object) -> Launch:
    base = Launch(
        service="qwen",
        name=f"qwen-{rank}",
        node=f"spark-{rank + 1}",
        rank=rank,
        role="worker" if rank else "head",
        engine="vllm",
        runtime=runtime,
        image="tiny:1",
        entrypoint=("/bin/sh",),
        argv=("serve",),
        environment={},
    )
    return replace(base, **fields)  # type: ignore[arg-type]


NEXT_RUN = 5
TWO_LAUNCHES = (build_launch(0), build_launch(1))
LAUNCH_DIGEST = hash_launches(TWO_LAUNCHES)


def build_object(rank: int, token: str, is_alive: bool = True, kind: str = CONTAINER) -> RankObject:
    return RankObject(f"spark-{rank + 1}", kind, rank, token, is_alive)


def build_running_state(token: str = f"{LAUNCH_DIGEST}-4") -> ServiceState:
    return ServiceState((build_object(0, token), build_object(1, token)), (token,), token)


def test_ranks_that_run_under_todays_token_keep_it_and_nothing_is_said() -> None:
    group = decide_run(TWO_LAUNCHES, build_running_state(), [], [], NEXT_RUN)
    assert (group.token, group.lines) == (f"{LAUNCH_DIGEST}-4", ())


def test_a_service_that_never_ran_begins_with_the_run_that_its_nodes_name() -> None:
    group = decide_run(TWO_LAUNCHES, ServiceState(), [], [], 1)
    assert (group.token, group.lines) == (f"{LAUNCH_DIGEST}-1", ("does not run, will be started",))


def test_one_rank_that_is_gone_starts_all_again() -> None:
    state = replace(build_running_state(), objects=(build_object(0, f"{LAUNCH_DIGEST}-4"),))
    group = decide_run(TWO_LAUNCHES, state, [], [], NEXT_RUN)
    line = "rank 1 on spark-2 is gone, will be started again with the rest"
    assert (group.token, group.lines) == (f"{LAUNCH_DIGEST}-5", (line,))


def test_a_rank_behind_a_silent_docker_is_unknown_and_not_gone() -> None:
    unknown = {"spark-2": "Docker does not answer"}
    known = (build_object(0, f"{LAUNCH_DIGEST}-4"),)
    state = replace(build_running_state(), objects=known, unknown=unknown)
    line = "rank 1 on spark-2 is unknown (Docker does not answer), will be started again"
    assert decide_run(TWO_LAUNCHES, state, [], [], NEXT_RUN).lines == (f"{line} with the rest",)
    alone = ServiceState(unknown={"spark-1": "Docker does not answer"})
    assert decide_run((build_launch(0),), alone, [], [], NEXT_RUN).lines == (
        "rank 0 on spark-1 is unknown (Docker does not answer), will be started again",
    )


def test_a_silent_docker_restarts_no_rank_that_is_known_to_run() -> None:
    native = build_launch(0, runtime="native")
    token = f"{hash_launches((native,))}-4"
    unit = build_object(0, token, kind=UNIT)
    state = ServiceState((unit,), (token,), token, {"spark-1": "Docker does not answer"})
    assert decide_run((native,), state, [], [], NEXT_RUN).token == token


def test_one_rank_that_has_ended_starts_all_again() -> None:
    state = replace(
        build_running_state(),
        objects=(
            build_object(0, f"{LAUNCH_DIGEST}-4"),
            build_object(1, f"{LAUNCH_DIGEST}-4", is_alive=False),
        ),
    )
    (line,) = decide_run(TWO_LAUNCHES, state, [], [], NEXT_RUN).lines
    assert line == "rank 1 on spark-2 has ended, will be started again with the rest"


def test_ranks_that_have_all_ended_are_each_named() -> None:
    ended = tuple(build_object(rank, f"{LAUNCH_DIGEST}-4", is_alive=False) for rank in (0, 1))
    assert decide_run(
        TWO_LAUNCHES, replace(build_running_state(), objects=ended), [], [], NEXT_RUN
    ).lines == (
        "rank 0 on spark-1 has ended, will be started again with the rest",
        "rank 1 on spark-2 has ended, will be started again with the rest",
    )


def test_ranks_of_two_runs_are_no_service() -> None:
    state = replace(
        build_running_state(),
        objects=(build_object(0, f"{LAUNCH_DIGEST}-4"), build_object(1, f"{LAUNCH_DIGEST}-3")),
    )
    (line,) = decide_run(TWO_LAUNCHES, state, [], [], NEXT_RUN).lines
    assert line == "its ranks belong to several runs, will be restarted"


def test_a_rank_on_another_node_does_not_count() -> None:
    stray = RankObject("spark-9", CONTAINER, 1, f"{LAUNCH_DIGEST}-4", True)
    state = replace(build_running_state(), objects=(build_object(0, f"{LAUNCH_DIGEST}-4"), stray))
    assert decide_run(TWO_LAUNCHES, state, [], [], NEXT_RUN).token == f"{LAUNCH_DIGEST}-5"


def test_a_rank_that_moves_says_where_from_and_where_to() -> None:
    stray = RankObject("spark-9", CONTAINER, 1, "older-4", True)
    state = replace(build_running_state(), objects=(build_object(0, "older-4"), stray))
    (line,) = decide_run(TWO_LAUNCHES, state, [], [], NEXT_RUN).lines
    assert line == "rank 1 runs on spark-9, will run on spark-2"


def test_what_is_left_on_a_node_that_is_no_longer_used_renews_nothing() -> None:
    stray = RankObject("spark-9", CONTAINER, 2, "older-1", True)
    running = build_running_state()
    state = replace(running, objects=(*running.objects, stray))
    assert decide_run(TWO_LAUNCHES, state, [], [], NEXT_RUN).lines == ()


def test_another_launch_is_said_in_the_words_of_its_difference() -> None:
    group = decide_run(
        TWO_LAUNCHES, build_running_state("older-4"), ["--port is 1, will be 2"], [], NEXT_RUN
    )
    assert (group.token, group.lines) == (f"{LAUNCH_DIGEST}-5", ("--port is 1, will be 2",))


def test_what_stops_the_service_today_starts_it_again() -> None:
    group = decide_run(
        TWO_LAUNCHES, build_running_state(), [], ["spark-2 docker_daemon changes"], NEXT_RUN
    )
    assert (group.token, group.lines) == (f"{LAUNCH_DIGEST}-5", ("spark-2 docker_daemon changes",))


def test_a_run_that_was_killed_before_it_ended_is_not_taken_for_whole() -> None:
    group = decide_run(
        TWO_LAUNCHES, replace(build_running_state(), completed_token=None), [], [], NEXT_RUN
    )
    assert group.token == f"{LAUNCH_DIGEST}-5"
    assert "interrupted" in group.lines[0]


def test_in_the_swarm_the_service_and_its_container_must_both_be_there() -> None:
    ranks = (build_launch(0, "swarm"), build_launch(1, "swarm"))
    token = f"{hash_launches(ranks)}-1"
    containers = (build_object(0, token), build_object(1, token))
    # A manager reports every service of the Swarm, wherever it runs.
    services = tuple(RankObject("spark-1", SWARM_SERVICE, rank, token, True) for rank in (0, 1))
    running = ServiceState((*containers, *services), (token,), token)
    assert decide_run(ranks, running, [], [], NEXT_RUN).token == token
    for objects in (containers, services, (*containers, services[0])):
        assert decide_run(ranks, replace(running, objects=objects), [], [], NEXT_RUN).token != token


TOKENS = st.builds(
    "{}-{}".format, st.sampled_from([LAUNCH_DIGEST, "older"]), st.integers(1, 4) | st.integers(6, 9)
)
OBJECTS = st.builds(build_object, st.integers(0, 1), TOKENS, st.booleans())
STATES = st.builds(
    ServiceState,
    st.lists(OBJECTS, max_size=4).map(tuple),
    st.lists(TOKENS, max_size=3).map(tuple),
    st.none() | TOKENS,
)


@given(STATES, st.booleans())
def test_a_token_is_passed_again_or_was_never_used(state: ServiceState, is_stopped: bool) -> None:
    group = decide_run(TWO_LAUNCHES, state, [], ["something"] if is_stopped else [], NEXT_RUN)
    used = {rank_object.token for rank_object in state.objects} | set(state.used_tokens)
    assert group.token.startswith(f"{LAUNCH_DIGEST}-")
    assert bool(group.lines) == (group.token not in used)
    if group.token in used:
        alive = {
            (rank_object.rank, rank_object.token)
            for rank_object in state.objects
            if rank_object.is_alive
        }
        assert not is_stopped
        assert alive == {(0, group.token), (1, group.token)}
        assert state.completed_token == group.token
