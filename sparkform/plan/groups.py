"""The ranks of a service as one: whether they run as declared, and the token of their next run.

A token is `<digest of all launches>-<n>`, a label on each rank. It is passed again where every rank
runs under it, it is today's, and the run that started it came to its end; else the next n is taken,
so that a token never names two runs. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.ranks.service_objects import CONTAINER, SWARM_SERVICE, UNIT
from sparkform.launch.records import Launch, Runtime, digest

KINDS: Mapping[Runtime, tuple[str, ...]] = {
    "container": (CONTAINER,),
    "swarm": (CONTAINER, SWARM_SERVICE),
    "native": (UNIT,),
}
"""What of a rank must be there, and run, by runtime."""


@dataclass(frozen=True)
class Found:
    """One thing of a rank that a node, or the Swarm, has."""

    node: str
    kind: str
    rank: int
    token: str
    alive: bool


@dataclass(frozen=True)
class Seen:
    """A service as the nodes report it. `used` are all tokens that any of them has recorded;
    `completed` is that of the last run whose ranks were all started."""

    found: tuple[Found, ...] = ()
    used: tuple[str, ...] = ()
    completed: str | None = None

    def runs_on(self, node: str) -> bool:
        return any(one.alive and one.node == node for one in self.found)


@dataclass(frozen=True)
class Group:
    """The run that is to be. `lines` say why it is another one; empty where it runs already."""

    token: str
    lines: tuple[str, ...] = ()


def decide_group(
    launches: Sequence[Launch], seen: Seen, differing: Sequence[str], stopped: Sequence[str]
) -> Group:
    """`differing` are words for what differs in the launch, `stopped` for what stops it today."""
    today = digest(launches)
    running = {one.token for one in seen.found if one.alive and _is_of(one, launches)}
    missing = tuple(_missing(launches, seen))
    (token,) = running if len(running) == 1 else (None,)
    is_today = token is not None and token.rpartition("-")[0] == today
    if is_today and not missing and not stopped and token == seen.completed:
        return Group(str(token))
    words = [*stopped, *_why(launches, seen, missing, running, today, differing)]
    lines = words or ["was started by a run that did not end, will be started anew"]
    return Group(f"{today}-{_next(seen)}", tuple(lines))


def _why(
    launches: Sequence[Launch],
    seen: Seen,
    missing: Sequence[str],
    running: set[str],
    today: str,
    differing: Sequence[str],
) -> list[str]:
    if not seen.found:
        again = " again" if seen.used else ""
        return [f"does not run, will be started{again}"]
    moved = list(_moved(launches, seen))
    if moved:
        return moved
    if any(token.rpartition("-")[0] != today for token in running):
        return list(differing) or ["its launch differs, will be stopped and started anew"]
    rest = " with the rest" if len(launches) > 1 else ""
    if missing:
        return [f"{one}, will be started again{rest}" for one in missing]
    return ["its ranks are of several runs, will be started anew"] if len(running) > 1 else []


def _missing(launches: Sequence[Launch], seen: Seen) -> Iterator[str]:
    """A phrase for each rank of which something is gone or has ended."""
    for launch in launches:
        for kind in KINDS[launch.runtime]:
            own = [one for one in seen.found if (one.rank, one.kind) == (launch.rank, kind)]
            if not any(one.alive and _is_in_place(one, launch) for one in own):
                ended = any(_is_in_place(one, launch) for one in own)
                state = "has ended" if ended else "is gone"
                yield f"rank {launch.rank} on {launch.node} {state}"
                break


def _moved(launches: Sequence[Launch], seen: Seen) -> Iterator[str]:
    """A phrase for each rank that runs on a node that is to run it no longer."""
    for launch in launches:
        own = [one for one in seen.found if one.rank == launch.rank and one.alive]
        if own and not any(_is_in_place(one, launch) for one in own):
            yield f"rank {launch.rank} runs on {own[0].node}, will run on {launch.node}"


def _is_of(one: Found, launches: Sequence[Launch]) -> bool:
    """What is left on a node that the service has left is ended with that node's slot."""
    return any(_is_in_place(one, launch) for launch in launches)


def _is_in_place(one: Found, launch: Launch) -> bool:
    """A manager reports the Swarm's services, wherever their containers are."""
    return one.kind == SWARM_SERVICE or one.node == launch.node


def _next(seen: Seen) -> int:
    tokens = [*(one.token for one in seen.found), *seen.used]
    numbers = [one.rpartition("-")[2] for one in tokens]
    return max((int(number) for number in numbers if number.isdigit()), default=0) + 1
