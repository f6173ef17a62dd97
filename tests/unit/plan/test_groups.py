"""When a service's ranks run as declared, and what is said where they do not."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from node.ranks.service_objects import CONTAINER, SWARM_SERVICE
from sparkform.launch.records import Launch, Runtime, digest
from sparkform.plan.groups import Found, Seen, decide_group


def launch(rank: int = 0, runtime: Runtime = "container", **fields: object) -> Launch:
    made = Launch(
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
    return replace(made, **fields)  # type: ignore[arg-type]


TWO = (launch(0), launch(1))
TODAY = digest(TWO)


def found(rank: int, token: str, alive: bool = True, kind: str = CONTAINER) -> Found:
    return Found(f"spark-{rank + 1}", kind, rank, token, alive)


def running(token: str = f"{TODAY}-4") -> Seen:
    return Seen((found(0, token), found(1, token)), (token,), token)


def test_ranks_that_run_under_todays_token_keep_it_and_nothing_is_said() -> None:
    group = decide_group(TWO, running(), [], [])
    assert (group.token, group.lines) == (f"{TODAY}-4", ())


def test_a_service_that_never_ran_begins_with_the_first_token() -> None:
    group = decide_group(TWO, Seen(), [], [])
    assert (group.token, group.lines) == (f"{TODAY}-1", ("does not run, will be started",))


def test_one_rank_that_is_gone_starts_all_again() -> None:
    seen = replace(running(), found=(found(0, f"{TODAY}-4"),))
    group = decide_group(TWO, seen, [], [])
    said = "rank 1 on spark-2 is gone, will be started again with the rest"
    assert (group.token, group.lines) == (f"{TODAY}-5", (said,))


def test_one_rank_that_has_ended_starts_all_again() -> None:
    seen = replace(running(), found=(found(0, f"{TODAY}-4"), found(1, f"{TODAY}-4", alive=False)))
    (said,) = decide_group(TWO, seen, [], []).lines
    assert said == "rank 1 on spark-2 has ended, will be started again with the rest"


def test_ranks_that_have_all_ended_are_each_named() -> None:
    ended = tuple(found(rank, f"{TODAY}-4", alive=False) for rank in (0, 1))
    assert decide_group(TWO, replace(running(), found=ended), [], []).lines == (
        "rank 0 on spark-1 has ended, will be started again with the rest",
        "rank 1 on spark-2 has ended, will be started again with the rest",
    )


def test_ranks_of_two_runs_are_no_service() -> None:
    seen = replace(running(), found=(found(0, f"{TODAY}-4"), found(1, f"{TODAY}-3")))
    (said,) = decide_group(TWO, seen, [], []).lines
    assert said == "its ranks are of several runs, will be started anew"


def test_a_rank_on_another_node_does_not_count() -> None:
    stray = Found("spark-9", CONTAINER, 1, f"{TODAY}-4", True)
    seen = replace(running(), found=(found(0, f"{TODAY}-4"), stray))
    assert decide_group(TWO, seen, [], []).token == f"{TODAY}-5"


def test_a_rank_that_moves_says_where_from_and_where_to() -> None:
    stray = Found("spark-9", CONTAINER, 1, "older-4", True)
    seen = replace(running(), found=(found(0, "older-4"), stray))
    (said,) = decide_group(TWO, seen, [], []).lines
    assert said == "rank 1 runs on spark-9, will run on spark-2"


def test_what_is_left_on_a_node_that_is_no_longer_used_renews_nothing() -> None:
    stray = Found("spark-9", CONTAINER, 2, "older-1", True)
    whole = running()
    seen = replace(whole, found=(*whole.found, stray))
    assert decide_group(TWO, seen, [], []).lines == ()


def test_another_launch_is_said_in_the_words_of_its_difference() -> None:
    group = decide_group(TWO, running("older-4"), ["--port is 1, will be 2"], [])
    assert (group.token, group.lines) == (f"{TODAY}-5", ("--port is 1, will be 2",))


def test_what_stops_the_service_today_starts_it_again() -> None:
    group = decide_group(TWO, running(), [], ["spark-2 docker_daemon changes"])
    assert (group.token, group.lines) == (f"{TODAY}-5", ("spark-2 docker_daemon changes",))


def test_a_run_that_was_killed_before_it_ended_is_not_taken_for_whole() -> None:
    group = decide_group(TWO, replace(running(), completed=None), [], [])
    assert group.token == f"{TODAY}-5"
    assert "did not end" in group.lines[0]


def test_in_the_swarm_the_service_and_its_container_must_both_be_there() -> None:
    ranks = (launch(0, "swarm"), launch(1, "swarm"))
    token = f"{digest(ranks)}-1"
    containers = (found(0, token), found(1, token))
    # A manager reports every service of the Swarm, wherever it runs.
    services = tuple(Found("spark-1", SWARM_SERVICE, rank, token, True) for rank in (0, 1))
    whole = Seen((*containers, *services), (token,), token)
    assert decide_group(ranks, whole, [], []).token == token
    for lacking in (containers, services, (*containers, services[0])):
        assert decide_group(ranks, replace(whole, found=lacking), [], []).token != token


TOKENS = st.builds("{}-{}".format, st.sampled_from([TODAY, "older"]), st.integers(1, 9))
FOUND = st.builds(found, st.integers(0, 1), TOKENS, st.booleans())
SEEN = st.builds(
    Seen,
    st.lists(FOUND, max_size=4).map(tuple),
    st.lists(TOKENS, max_size=3).map(tuple),
    st.none() | TOKENS,
)


@given(SEEN, st.booleans())
def test_a_token_is_passed_again_or_was_never_used(seen: Seen, is_stopped: bool) -> None:
    group = decide_group(TWO, seen, [], ["something"] if is_stopped else [])
    used = {one.token for one in seen.found} | set(seen.used)
    assert group.token.startswith(f"{TODAY}-")
    assert bool(group.lines) == (group.token not in used)
    if group.token in used:
        alive = {(one.rank, one.token) for one in seen.found if one.alive}
        assert not is_stopped
        assert alive == {(0, group.token), (1, group.token)}
        assert seen.completed == group.token
