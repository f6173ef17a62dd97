"""Nodes that another stack has: found before anything is done. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.errors import Problem
from sparkform.planner.network import Documents
from sparkform.planner.steps import StackName
from sparkform.spec import Spec


def foreign_claims(spec: Spec, documents: Documents, stack: StackName) -> Iterator[Problem]:
    """One problem for each node that is claimed, and not by this stack."""
    ours = f"{stack.project}/{stack.stack}"
    for node in spec.active_nodes:
        found = documents[node.name].facts.claim if node.name in documents else None
        if found not in (None, ours):
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                what=f"{node.name} belongs to stack {found}, not to {ours}",
                because="two stacks on one node would undo each other's work",
                remedy=f"run `pulumi destroy` in {found} first, or leave the node out here",
            )
