"""Labels on a Swarm's nodes, which only its managers know and change."""

from __future__ import annotations

from collections.abc import Sequence

from node.docker import swarm_nodes
from node.state.manifest import Entry, Journal

KIND = "node_labels"


def remember(journal: Journal, node: swarm_nodes.Node, names: Sequence[str]) -> None:
    before = {name: node.labels.get(name) for name in names}
    journal.record(KIND, node.id, before=before)


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    """Nothing where the swarm or the node is gone: its labels went with it."""
    found = {node.id: node for node in swarm_nodes.read(journal.system)}
    node = found.get(entries[0].subject)
    before: dict[str, str | None] = {}
    for entry in reversed(entries):
        before |= entry.facts["before"]
    if node is None or all(node.labels.get(name) == before[name] for name in before):
        return []
    swarm_nodes.update(journal.system, node, {**node.labels, **before})
    return [f"labels of {node.hostname}: put back"]
