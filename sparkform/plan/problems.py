"""Declarations that do not fit these machines: found before anything is planned. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import Declaration
from sparkform.errors import Problem
from sparkform.fabric.network import Reports
from sparkform.plan.context import PlanContext
from sparkform.plan.models import list_required_models
from sparkform.plan.native_steps import find_native_problems
from sparkform.plan.steps import StackName


def find_problems(context: PlanContext) -> Iterator[Problem]:
    """All of them at once, those of the network excepted."""
    declaration, reports = context.declaration, context.reports
    yield from find_foreign_claims(declaration, reports, context.stack)
    yield from find_missing_gpus(declaration, reports)
    yield from find_shared_nodes(declaration)
    yield from find_native_problems(declaration, reports)
    yield from list_required_models(declaration)[1]


def find_foreign_claims(
    declaration: Declaration, reports: Reports, stack: StackName
) -> Iterator[Problem]:
    """One problem for each node that is claimed, and not by this stack."""
    stack_name = str(stack)
    for node in declaration.active_nodes:
        claim = reports[node.name].facts.claim if node.name in reports else None
        if claim not in (None, stack_name):
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{node.name} belongs to stack {claim}, not to {stack_name}",
                because="two stacks on one node would undo each other's work",
                remedy=f"run `pulumi destroy` in {claim} first, or leave the node out here",
            )


def find_missing_gpus(declaration: Declaration, reports: Reports) -> Iterator[Problem]:
    """Swarm places work on a GPU by its UUID: without one there is nothing to offer."""
    for node in declaration.active_nodes:
        facts = reports[node.name].facts if node.name in reports else None
        if declaration.swarm_enabled and facts and not (facts.gpu and facts.gpu.gpus):
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{node.name} shows no GPU",
                because="Swarm places work on it by its UUID",
                remedy="`nvidia-smi` on the node says why, and a reboot often brings it back; "
                "or declare the node with `away: true`",
            )


def find_shared_nodes(declaration: Declaration) -> Iterator[Problem]:
    """A Spark has one GPU, and an engine takes it whole."""
    service_by_node: dict[str, str] = {}
    for service in declaration.services:
        for node in declaration.list_service_nodes(service):
            if node.name in service_by_node:
                yield Problem(
                    path=f"services.{service}.nodes",
                    message=f"{node.name} runs service {service_by_node[node.name]} already",
                    because="a node has one GPU, which one engine takes whole",
                    remedy="give each service nodes of its own",
                )
            service_by_node.setdefault(node.name, service)
