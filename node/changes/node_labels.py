"""Labels on a Swarm's nodes, which only its managers know and change."""

from __future__ import annotations

from collections.abc import Sequence

from node.docker import swarm_nodes
from node.state.manifest import Manifest, ManifestEntry

KIND = "node_labels"


def record(manifest: Manifest, node: swarm_nodes.SwarmNodeRecord, names: Sequence[str]) -> None:
    original_labels = {name: node.labels.get(name) for name in names}
    manifest.record(KIND, node.id, before=original_labels)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    """Nothing where the swarm or the node is gone: its labels went with it."""
    nodes = {node.id: node for node in swarm_nodes.read(manifest.system)}
    node = nodes.get(entries[0].subject)
    original_labels: dict[str, str | None] = {}
    for entry in reversed(entries):
        original_labels |= entry.facts["before"]
    if node is None or all(
        node.labels.get(name) == original_labels[name] for name in original_labels
    ):
        return []
    swarm_nodes.update(manifest.system, node, {**node.labels, **original_labels})
    return [f"labels of {node.hostname}: restored"]
