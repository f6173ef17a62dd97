"""From what the nodes said to what is written about them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkform.commands.init.logins import Login
from sparkform.commands.init.node_names import node_names
from sparkform.commands.init.stack_text import Newcomer
from sparkform.commands.init.topology import Detected, detect
from sparkform.report.facts import NodeDocument

KIB_A_GIB = 1024**2


def propose(
    logins: Sequence[Login],
    documents: Mapping[str, NodeDocument],
    host_keys: Mapping[str, str],
) -> tuple[tuple[Newcomer, ...], Detected, tuple[str, ...]]:
    """The nodes, their topology, and what the user should know. All by `str(login)`."""
    found = [documents[str(login)] for login in logins]
    names = node_names([one.facts.host.hostname if one.facts.host else None for one in found])
    nodes = tuple(
        Newcomer(name, login, host_keys[str(login)], describe(document))
        for name, login, document in zip(names, logins, found, strict=True)
    )
    by_name = dict(zip(names, found, strict=True))
    detected = detect({name: one.facts.interfaces or () for name, one in by_name.items()})
    return nodes, detected, tuple(_warnings(by_name))


def describe(document: NodeDocument) -> str:
    """The machine in one line; what could not be read is left out."""
    facts = document.facts
    parts = [one.name for one in facts.gpu.gpus] if facts.gpu else ["no GPU found"]
    if facts.memory:
        parts.append(f"{facts.memory.total_kib / KIB_A_GIB:.1f} GiB")
    if facts.host and facts.host.dgx_os:
        parts.append(f"DGX OS {facts.host.dgx_os}")
    if facts.gpu:
        parts.append(f"driver {facts.gpu.driver}")
    return ", ".join(parts)


def _warnings(documents: Mapping[str, NodeDocument]) -> list[str]:
    claimed = [
        f"{name} belongs to stack {one.facts.claim} already; `pulumi up` will refuse it"
        for name, one in documents.items()
        if one.facts.claim
    ]
    blind = [
        f"the interfaces of {name} could not be read; topology is a guess"
        for name, one in documents.items()
        if one.facts.interfaces is None
    ]
    return claimed + blind
