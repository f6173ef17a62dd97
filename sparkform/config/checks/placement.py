"""The node that a part of the rack of its own is declared on."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config.draft import Draft
from sparkform.errors import Problem


def find_absent_node(draft: Draft, path: str, name: str | None) -> Iterator[Problem]:
    """`name`: the declared node; it is one of the cluster and not away."""
    if name is None or None in draft.names:
        return
    present = [node.name for _, node in draft.enumerate_readable_nodes() if not node.away]
    if name not in present:
        yield Problem(
            path=path,
            message="is away" if name in draft.names else "is not a node of the cluster",
            got=name,
            allowed=", ".join(present),
        )
