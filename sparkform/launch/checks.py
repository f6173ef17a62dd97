"""Checks over finished launches: ranks that differ, ports taken twice, secrets in plain sight."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.launch.records import Launch, PortUse, serialize_launches
from sparkform.launch.variables import contains_secret

RANK_OPTIONS: Mapping[str, int] = {"--node-rank": 1, "--headless": 0, "--node-ip-address": 1}
"""Options that place a rank among the others, with how many values each takes."""

WILDCARD_ADDRESSES = ("0.0.0.0", "::")


def find_rank_differences(
    launches: Sequence[Launch], per_node_names: Collection[str]
) -> Iterator[Problem]:
    """Ranks that differ where they must not: they then hang without an error.

    `own` are the variables that each node has for itself. Commands are compared among ranks that
    run the same program; a worker's SSH server is not the head's mpirun.
    """
    for first_launch, second_launch in combinations(launches, 2):
        for difference in _list_differences(first_launch, second_launch, per_node_names):
            yield Problem(
                path=format_service_path(first_launch.service),
                message=f"ranks {first_launch.rank} ({first_launch.node}) and "
                f"{second_launch.rank} ({second_launch.node}) "
                f"differ in {difference}",
                because="unequal ranks hang without an error",
                remedy="this is a mistake in the plan, not in the stack file; please report it",
            )


def _list_differences(
    first_launch: Launch, second_launch: Launch, per_node_names: Collection[str]
) -> Iterator[str]:
    names = {*first_launch.environment, *second_launch.environment} - set(per_node_names)
    for name in sorted(names):
        if first_launch.environment.get(name) != second_launch.environment.get(name):
            yield name
    if _get_program(first_launch) == _get_program(second_launch) and drop_rank_options(
        first_launch.argv
    ) != drop_rank_options(second_launch.argv):
        yield "their arguments"
    for key in ("image", "layer", "engine", "runtime", "ulimits", "devices", "shares_ipc"):
        if getattr(first_launch, key) != getattr(second_launch, key):
            yield key
    yield from _list_different_files(first_launch, second_launch)


def _list_different_files(first_launch: Launch, second_launch: Launch) -> Iterator[str]:
    texts = {
        other_file.path: other_file.text for other_file in second_launch.files if not other_file.own
    }
    for file in first_launch.files:
        if not file.own and texts.get(file.path, file.text) != file.text:
            yield file.path


def drop_rank_options(argv: Sequence[str]) -> tuple[str, ...]:
    """The arguments without those that place a rank."""
    shared_arguments, skipped = [], 0
    for argument in argv:
        if skipped:
            skipped -= 1
        elif argument in RANK_OPTIONS:
            skipped = RANK_OPTIONS[argument]
        else:
            shared_arguments.append(argument)
    return tuple(shared_arguments)


def _get_program(launch: Launch) -> tuple[str, ...]:
    """The words before the first long option, in which ranks differ only with their task."""
    program = []
    for argument in launch.argv:
        if argument.startswith("--"):
            break
        program.append(argument)
    return tuple(program)


def find_port_clashes(launches: Iterable[Launch]) -> Iterator[Problem]:
    """Two launches on one node, or one with itself, that listen on the same port."""
    uses = [(launch, port) for launch in launches for port in launch.ports]
    for (first_launch, first_port), (second_launch, second_port) in combinations(uses, 2):
        if first_launch.node == second_launch.node and _ports_collide(first_port, second_port):
            yield Problem(
                path=format_service_path(second_launch.service),
                message=f"port {second_port.number} on {second_launch.node} "
                f"({second_port.purpose}) is taken by "
                f"service {first_launch.service} ({first_port.purpose})",
                because="all engines use the node's own network",
                remedy="choose another `port`, or other `nodes`",
            )


def _ports_collide(first_port: PortUse, second_port: PortUse) -> bool:
    addresses_meet = first_port.address == second_port.address or {
        first_port.address,
        second_port.address,
    } & set(WILDCARD_ADDRESSES)
    return first_port.number == second_port.number and bool(addresses_meet)


def find_shown_secrets(
    launches: Sequence[Launch], values: Collection[str] = ()
) -> Iterator[Problem]:
    """Launches that hold one of these secret values, or anything that looks like a secret."""
    for launch in launches:
        text = serialize_launches([launch])
        if contains_secret(text) or any(value and value in text for value in values):
            yield Problem(
                path=format_service_path(launch.service),
                message=f"the launch of rank {launch.rank} holds a secret in plain",
                because="launches are stored and shown",
                remedy="set it as a top-level secret of the stack",
            )
