"""Checks across nodes: what must differ between them, and what the head must be."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from sparkform.config.draft import Draft
from sparkform.errors import Problem


def check_unique_names(draft: Draft) -> Iterator[Problem]:
    """Two nodes with one name would be one node in the state."""
    named = ((position, name) for position, name in enumerate(draft.names) if name is not None)
    yield from _report_repeats(named, "name", "the name tells nodes apart in the state")


def check_unique_hosts(draft: Draft) -> Iterator[Problem]:
    """Two entries that lead to one SSH server are one machine declared twice."""
    endpoints = (
        (position, f"{node.host.lower()} port {node.port}")
        for position, node in draft.enumerate_readable_nodes()
    )
    yield from _report_repeats(endpoints, "host", "both would lead to the same machine")


def check_unique_indexes(draft: Draft) -> Iterator[Problem]:
    """Two nodes with one index would get the same fabric addresses."""
    yield from _report_repeats(
        draft.enumerate_indexes(),
        "index",
        "the index sets the node's addresses; the default is its position",
    )


def check_unique_management_addresses(draft: Draft) -> Iterator[Problem]:
    """Two nodes with one management address are one node to the others."""
    addresses = (
        (position, node.management_address)
        for position, node in draft.enumerate_readable_nodes()
        if node.management_address
    )
    yield from _report_repeats(addresses, "managementAddress", "the nodes reach each other by it")


def _report_repeats(
    values: Iterable[tuple[int, Hashable]], key: str, because: str
) -> Iterator[Problem]:
    first: dict[Hashable, int] = {}
    for position, value in values:
        earlier = first.setdefault(value, position)
        if earlier != position:
            yield Problem(
                path=f"cluster.nodes[{position}].{key}",
                message=f"is the same as that of cluster.nodes[{earlier}]",
                got=str(value),
                allowed="a different one for each node",
                because=because,
            )


def check_head_present(draft: Draft) -> Iterator[Problem]:
    """The head leads the Swarm and starts the services, so it cannot be away."""
    head = draft.nodes[0] if draft.nodes else None
    if head is not None and head.away:
        yield Problem(
            path="cluster.nodes[0].away",
            message="marks the head as away",
            got="true",
            allowed="false for the first node",
            because="the head leads the Swarm and starts the services",
            remedy="put another node first, and give each node its index so that addresses stay",
        )


def check_port_declared_once(draft: Draft) -> Iterator[Problem]:
    """`interfaces` names the used port already."""
    for position, node in draft.enumerate_readable_nodes():
        if node.interfaces is not None and node.qsfp_port != "auto":
            yield Problem(
                path=f"cluster.nodes[{position}].qsfpPort",
                message="conflicts with interfaces, which already names the port",
                allowed="one of the two",
                remedy="remove qsfpPort",
            )


CHECKS = (
    check_unique_names,
    check_unique_hosts,
    check_unique_indexes,
    check_unique_management_addresses,
    check_head_present,
    check_port_declared_once,
)
