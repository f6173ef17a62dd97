"""Nodes that cannot be worked on as they are: found before anything is done. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import Spec
from sparkform.errors import Problem
from sparkform.fabric.network import Documents
from sparkform.plan.steps import StackName


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


def missing_gpus(spec: Spec, documents: Documents) -> Iterator[Problem]:
    """Swarm places work on a GPU by its UUID: without one there is nothing to offer."""
    for node in spec.active_nodes:
        facts = documents[node.name].facts if node.name in documents else None
        if spec.swarm_enabled and facts and not (facts.gpu and facts.gpu.gpus):
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                what=f"{node.name} shows no GPU",
                because="Swarm places work on it by its UUID",
                remedy="`nvidia-smi` on the node says why, and a reboot often brings it back; "
                "or declare the node with `away: true`",
            )


def shared_nodes(spec: Spec) -> Iterator[Problem]:
    """A Spark has one GPU, and an engine takes it whole."""
    taken: dict[str, str] = {}
    for service in spec.services:
        for node in spec.service_nodes(service):
            if node.name in taken:
                yield Problem(
                    path=f"services.{service}.nodes",
                    what=f"{node.name} runs service {taken[node.name]} already",
                    because="a node has one GPU, which one engine takes whole",
                    remedy="give each service nodes of its own",
                )
            taken.setdefault(node.name, service)
