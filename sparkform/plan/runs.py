"""The ranks of a service as one: whether they run as declared, and the token of their next run.

A token is `<digest of all launches>-<run>`, a label on each rank. It is passed again where every
rank runs under it, it is today's, and the run that started it came to its end. Else a run that was
never named before is taken, so that a token never names two. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.ranks.rank import CONTAINER, SWARM_SERVICE, UNIT
from sparkform.launch.records import Launch, Runtime, hash_launches
from sparkform.plan.service_state import RankObject, ServiceState

RANK_OBJECT_KINDS: Mapping[Runtime, tuple[str, ...]] = {
    "container": (CONTAINER,),
    "swarm": (CONTAINER, SWARM_SERVICE),
    "native": (UNIT,),
}
"""What of a rank must be there, and run, by runtime."""


@dataclass(frozen=True)
class ServiceRun:
    """The run that is to be. `lines` say why it is another one; empty where it runs already."""

    token: str
    lines: tuple[str, ...] = ()


def decide_run(
    launches: Sequence[Launch],
    state: ServiceState,
    differences: Sequence[str],
    stop_reasons: Sequence[str],
    next_run: int,
) -> ServiceRun:
    """`differences` say what differs in the launch, `stop_reasons` what stops the service now.

    `next_run` follows from what the service's nodes have recorded (node/state/next_run.py).
    """
    digest = hash_launches(launches)
    running_tokens = {
        rank_object.token
        for rank_object in state.objects
        if rank_object.is_alive and _is_declared(rank_object, launches)
    }
    missing_ranks = tuple(
        f"rank {launch.rank} on {launch.node} {_describe_absence(launch, state)}"
        for launch in list_missing_ranks(launches, state)
    )
    (token,) = running_tokens if len(running_tokens) == 1 else (None,)
    is_today = token is not None and token.rpartition("-")[0] == digest
    if is_today and not missing_ranks and not stop_reasons and token == state.completed_token:
        return ServiceRun(str(token))
    reasons = [
        *stop_reasons,
        *_explain_new_run(launches, state, missing_ranks, running_tokens, digest, differences),
    ]
    lines = reasons or ["was started by an interrupted run, will be restarted"]
    return ServiceRun(f"{digest}-{next_run}", tuple(lines))


def _explain_new_run(
    launches: Sequence[Launch],
    state: ServiceState,
    missing_ranks: Sequence[str],
    running_tokens: set[str],
    digest: str,
    differences: Sequence[str],
) -> list[str]:
    if not state.objects and not state.unknown:
        again = " again" if state.used_tokens else ""
        return [f"does not run, will be started{again}"]
    moved_ranks = list(_describe_moved_ranks(launches, state))
    if moved_ranks:
        return moved_ranks
    if any(token.rpartition("-")[0] != digest for token in running_tokens):
        return list(differences) or ["its launch differs, will be restarted"]
    suffix = " with the rest" if len(launches) > 1 else ""
    if missing_ranks:
        return [f"{missing_rank}, will be started again{suffix}" for missing_rank in missing_ranks]
    return (
        ["its ranks belong to several runs, will be restarted"] if len(running_tokens) > 1 else []
    )


def list_missing_ranks(launches: Sequence[Launch], state: ServiceState) -> list[Launch]:
    """The ranks of which something is gone or has ended."""
    return [launch for launch in launches if _list_missing_kinds(launch, state)]


def _list_missing_kinds(launch: Launch, state: ServiceState) -> list[str]:
    return [
        kind
        for kind in RANK_OBJECT_KINDS[launch.runtime]
        if not any(rank.is_alive for rank in _list_in_place(launch, kind, state))
    ]


def _list_in_place(launch: Launch, kind: str, state: ServiceState) -> list[RankObject]:
    return [
        rank_object
        for rank_object in state.objects
        if (rank_object.rank, rank_object.kind) == (launch.rank, kind)
        and _is_in_place(rank_object, launch)
    ]


def _describe_absence(launch: Launch, state: ServiceState) -> str:
    """A Docker that does not answer may have the rank."""
    first_missing = _list_missing_kinds(launch, state)[0]
    if _list_in_place(launch, first_missing, state):
        return "has ended"
    unknown = state.unknown.get(launch.node)
    return f"is unknown ({unknown})" if unknown else "is gone"


def _describe_moved_ranks(launches: Sequence[Launch], state: ServiceState) -> Iterator[str]:
    """A phrase for each rank that runs on a node that is to run it no longer."""
    for launch in launches:
        rank_objects = [
            rank_object
            for rank_object in state.objects
            if rank_object.rank == launch.rank and rank_object.is_alive
        ]
        if rank_objects and not any(
            _is_in_place(rank_object, launch) for rank_object in rank_objects
        ):
            yield f"rank {launch.rank} runs on {rank_objects[0].node}, will run on {launch.node}"


def _is_declared(rank_object: RankObject, launches: Sequence[Launch]) -> bool:
    """What is left on a node that the service has left is ended by `stop_previous` there."""
    return any(_is_in_place(rank_object, launch) for launch in launches)


def _is_in_place(rank_object: RankObject, launch: Launch) -> bool:
    """A manager reports the Swarm's services, wherever their containers are."""
    return rank_object.kind == SWARM_SERVICE or rank_object.node == launch.node
