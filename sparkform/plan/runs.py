"""The ranks of a service as one: whether they run as declared, and the token of their next run.

A token is `<digest of all launches>-<run>`, a label on each rank. It is passed again where every
rank runs under it, it is today's, and the run that started it came to its end; also where the
service's supervisor brings its ranks back under it. Else a run that was never named before is
taken, so that a token never names two. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.ranks.rank import CONTAINER, SWARM_SERVICE, UNIT
from sparkform.launch.records import Launch, Runtime, hash_launches
from sparkform.plan.service_state import RankObject, ServiceState
from sparkform.plan.supervision import ServiceSupervision

RANK_OBJECT_KINDS: Mapping[Runtime, tuple[str, ...]] = {
    "container": (CONTAINER,),
    "swarm": (CONTAINER, SWARM_SERVICE),
    "native": (UNIT,),
}
"""What of a rank must be there, and run, by runtime."""

STARTED_KINDS: Mapping[Runtime, str] = {
    "container": CONTAINER,
    "swarm": SWARM_SERVICE,
    "native": UNIT,
}
"""What a supervisor starts again, by runtime: a Swarm makes its container anew."""

KEPT = "nothing of it is changed"
RESTORED = "its last change failed, so the launch before it serves again, and will be replaced"


@dataclass(frozen=True)
class ServiceRun:
    """The run that is to be. `lines` say why it is another one; empty where it runs already, or
    comes back by itself, which `notes` then say."""

    token: str
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
    running_tokens = _list_running_tokens(launches, state)
    restored = state.restored if _is_restored(state, running_tokens) else None
    missing_ranks = tuple(
        f"rank {launch.rank} on {launch.node} {_describe_absence(launch, state)}"
        for launch in list_missing_ranks(launches, state)
    )
    is_todays = running_tokens == {state.completed_token} and _is_of_digest(
        state.completed_token, digest
    )
    is_ended = state.supervision.standing == "ended"
    if not stop_reasons:
        kept = _keep_run(launches, state, digest, missing_ranks)
        if kept is not None:
            return kept
        if is_todays and not (missing_ranks or is_ended):
            return ServiceRun(str(state.completed_token))
    reasons = [
        *stop_reasons,
        *([f"{state.supervision.words}, will be restarted"] if is_ended else []),
        *_explain_new_run(launches, state, missing_ranks, running_tokens, digest, differences),
        *([f"{RESTORED}: {restored.failure}"] if restored else []),
    ]
    lines = reasons or ["was started by an interrupted run, will be restarted"]
    return ServiceRun(f"{digest}-{next_run}", tuple(lines))


def _is_restored(state: ServiceState, running_tokens: set[str | None]) -> bool:
    """Whether what runs is what was started again after a failed change."""
    return state.restored is not None and running_tokens == {state.restored.token}


def _list_running_tokens(launches: Sequence[Launch], state: ServiceState) -> set[str | None]:
    return {
        rank_object.token
        for rank_object in state.objects
        if rank_object.is_alive and _is_declared(rank_object, launches)
    }


def _is_of_digest(token: str | None, digest: str) -> bool:
    return token is not None and token.rpartition("-")[0] == digest


def _keep_run(
    launches: Sequence[Launch], state: ServiceState, digest: str, missing_ranks: Sequence[str]
) -> ServiceRun | None:
    """Today's run where its supervisor looks after it, with what is to be said of that. A rank of
    which nothing is left comes back by no supervisor."""
    token, supervision = state.completed_token, state.supervision
    if token is None or not _is_of_digest(token, digest):
        return None
    if (supervision.standing, supervision.token) != ("keeps", token):
        return None
    if not _list_running_tokens(launches, state) <= {token}:
        return None
    if not all(_has_startable_rank(launch, state, token) for launch in launches):
        return None
    return ServiceRun(token, notes=tuple(_describe_kept_run(supervision, missing_ranks)))


def _describe_kept_run(
    supervision: ServiceSupervision, missing_ranks: Sequence[str]
) -> Iterator[str]:
    """Nothing where it serves. A supervisor may not have seen yet what is missing."""
    if not supervision.is_whole:
        yield f"{supervision.words}; {KEPT}"
    elif missing_ranks:
        yield f"{', '.join(missing_ranks)}, which its supervisor will see; {KEPT}"


def _has_startable_rank(launch: Launch, state: ServiceState, token: str) -> bool:
    """Whether what is started of a rank is known to be there, running or not."""
    in_place = _list_in_place(launch, STARTED_KINDS[launch.runtime], state)
    return any(rank_object.token == token for rank_object in in_place)


def _explain_new_run(
    launches: Sequence[Launch],
    state: ServiceState,
    missing_ranks: Sequence[str],
    running_tokens: set[str | None],
    digest: str,
    differences: Sequence[str],
) -> list[str]:
    if not state.objects and not state.unknown:
        again = " again" if state.used_tokens else ""
        return [f"does not run, will be started{again}"]
    moved_ranks = list(_describe_moved_ranks(launches, state))
    if moved_ranks:
        return moved_ranks
    if not all(_is_of_digest(token, digest) for token in running_tokens):
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
