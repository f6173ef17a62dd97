"""Checks over finished launches: ranks that differ, ports taken twice, secrets in plain sight."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from sparkform.errors import Problem
from sparkform.launch.records import Launch, PortUse, canonical
from sparkform.launch.variables import looks_secret

OWN_OPTIONS: Mapping[str, int] = {"--node-rank": 1, "--headless": 0, "--node-ip-address": 1}
"""Options that place a rank among the others, with how many values each takes."""

EVERYWHERE = ("0.0.0.0", "::")


def ranks_differ(launches: Sequence[Launch], own: Collection[str]) -> Iterator[Problem]:
    """Ranks that differ where they must not: they then hang without an error.

    `own` are the variables that each node has for itself. Commands are compared among ranks that
    run the same program; a worker's SSH server is not the head's mpirun.
    """
    for first, other in combinations(launches, 2):
        for what in _differences(first, other, own):
            yield Problem(
                path=f"services.{first.service}",
                what=f"ranks {first.rank} ({first.node}) and {other.rank} ({other.node}) "
                f"differ in {what}",
                because="unequal ranks hang without an error",
                remedy="this is a mistake in the plan, not in the stack file; please report it",
            )


def _differences(first: Launch, other: Launch, own: Collection[str]) -> Iterator[str]:
    names = {*first.environment, *other.environment} - set(own)
    for name in sorted(names):
        if first.environment.get(name) != other.environment.get(name):
            yield name
    if _program(first) == _program(other) and shared(first.argv) != shared(other.argv):
        yield "their arguments"
    for key in ("image", "layer", "engine", "runtime", "ulimits", "devices", "shares_ipc"):
        if getattr(first, key) != getattr(other, key):
            yield key
    yield from _different_files(first, other)


def _different_files(first: Launch, other: Launch) -> Iterator[str]:
    texts = {one.path: one.text for one in other.files if not one.own}
    for file in first.files:
        if not file.own and texts.get(file.path, file.text) != file.text:
            yield file.path


def shared(argv: Sequence[str]) -> tuple[str, ...]:
    """The arguments without those that place a rank."""
    kept, skipped = [], 0
    for argument in argv:
        if skipped:
            skipped -= 1
        elif argument in OWN_OPTIONS:
            skipped = OWN_OPTIONS[argument]
        else:
            kept.append(argument)
    return tuple(kept)


def _program(launch: Launch) -> tuple[str, ...]:
    """The words before the first long option, in which ranks differ only with their task."""
    words = []
    for argument in launch.argv:
        if argument.startswith("--"):
            break
        words.append(argument)
    return tuple(words)


def port_clashes(launches: Iterable[Launch]) -> Iterator[Problem]:
    """Two launches on one node, or one with itself, that listen on the same port."""
    uses = [(launch, port) for launch in launches for port in launch.ports]
    for (first, one), (second, other) in combinations(uses, 2):
        if first.node == second.node and _collide(one, other):
            yield Problem(
                path=f"services.{second.service}",
                what=f"port {other.number} on {second.node} ({other.purpose}) is taken by "
                f"service {first.service} ({one.purpose})",
                because="all engines use the node's own network",
                remedy="choose another `port`, or other `nodes`",
            )


def _collide(one: PortUse, other: PortUse) -> bool:
    meet = one.address == other.address or {one.address, other.address} & set(EVERYWHERE)
    return one.number == other.number and bool(meet)


def secrets_shown(launches: Sequence[Launch], values: Collection[str] = ()) -> Iterator[Problem]:
    """Launches that hold one of these secret values, or anything that looks like a secret."""
    for launch in launches:
        text = canonical([launch])
        if looks_secret(text) or any(value and value in text for value in values):
            yield Problem(
                path=f"services.{launch.service}",
                what=f"the launch of rank {launch.rank} holds a secret in plain",
                because="launches are stored and shown",
                remedy="set it as a top-level secret of the stack",
            )
