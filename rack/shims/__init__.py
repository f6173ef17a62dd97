"""What answers as a Spark does; the rack writes `defaults` into each node."""

from __future__ import annotations


def defaults(node_index: int) -> dict[str, object]:
    """Name -> data, written as /etc/rack/<name>.json in the node."""
    return {}
