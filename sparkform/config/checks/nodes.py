"""Checks across nodes: what must differ between them, and what the head must be."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from sparkform.config.draft import Draft
from sparkform.errors import Problem


def unique_names(draft: Draft) -> Iterator[Problem]:
    """Two nodes with one name would be one node in the state."""
    named = ((at, name) for at, name in enumerate(draft.names) if name is not None)
    yield from _repeated(named, "name", "the name tells nodes apart in the state")


def unique_hosts(draft: Draft) -> Iterator[Problem]:
    """Two entries that lead to one SSH server are one machine declared twice."""
    doors = ((at, f"{node.host.lower()} port {node.port}") for at, node in draft.readable_nodes())
    yield from _repeated(doors, "host", "both would lead to the same machine")


def unique_indexes(draft: Draft) -> Iterator[Problem]:
    """Two nodes with one index would get the same fabric addresses."""
    yield from _repeated(
        draft.indexes(), "index", "the index sets the node's addresses; the default is its position"
    )


def unique_management_addresses(draft: Draft) -> Iterator[Problem]:
    """Two nodes with one management address cannot be told apart by the others."""
    given = (
        (at, node.management_address)
        for at, node in draft.readable_nodes()
        if node.management_address
    )
    yield from _repeated(given, "managementAddress", "the nodes reach each other by it")


def _repeated(values: Iterable[tuple[int, Hashable]], key: str, because: str) -> Iterator[Problem]:
    first: dict[Hashable, int] = {}
    for at, value in values:
        earlier = first.setdefault(value, at)
        if earlier != at:
            yield Problem(
                path=f"cluster.nodes[{at}].{key}",
                what=f"is the same as that of cluster.nodes[{earlier}]",
                got=str(value),
                allowed="a different one for each node",
                because=because,
            )


def head_is_here(draft: Draft) -> Iterator[Problem]:
    """The head leads the Swarm and starts the services, so it cannot be away."""
    head = draft.nodes[0] if draft.nodes else None
    if head is not None and head.away:
        yield Problem(
            path="cluster.nodes[0].away",
            what="takes the head away",
            got="true",
            allowed="false for the first node",
            because="the head leads the Swarm and starts the services",
            remedy="put another node first, and give each node its index so that addresses stay",
        )


def one_way_to_name_the_port(draft: Draft) -> Iterator[Problem]:
    """`interfaces` names the used port already."""
    for at, node in draft.readable_nodes():
        if node.interfaces is not None and node.qsfp_port != "auto":
            yield Problem(
                path=f"cluster.nodes[{at}].qsfpPort",
                what="is given beside interfaces, which names the port already",
                allowed="one of the two",
                remedy="leave qsfpPort out",
            )


CHECKS = (
    unique_names,
    unique_hosts,
    unique_indexes,
    unique_management_addresses,
    head_is_here,
    one_way_to_name_the_port,
)
