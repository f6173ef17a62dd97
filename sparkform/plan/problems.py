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
from sparkform.report.facts import NodeReport, UnreadableItem

ITEMS_TO_PLAN_FROM = (
    *("fact interfaces", "fact routes", "receipts"),
    *("step fabric_address", "step swarm", "step swarm_labels", "step native_venv"),
)
"""What a node is planned from: where one was not read, it must not be taken for absent."""


def list_unread_items(report: NodeReport) -> list[UnreadableItem]:
    return [item for item in report.unreadable if item.what in ITEMS_TO_PLAN_FROM]


def find_unread_items(declaration: Declaration, reports: Reports) -> Iterator[Problem]:
    """One problem for each item without which a node cannot be planned."""
    for node in declaration.active_nodes:
        for item in list_unread_items(reports[node.name]) if node.name in reports else ():
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{item.what} of {node.name} is unknown: {item.why}",
                because="the node is planned from it",
                remedy="run it again, or declare the node with `away: true`",
            )


def find_problems(context: PlanContext) -> Iterator[Problem]:
    """All of them at once, those of the network excepted."""
    declaration, reports = context.declaration, context.reports
    yield from find_foreign_claims(declaration, reports, context.stack)
    yield from find_missing_gpus(declaration, reports)
    yield from find_native_problems(declaration, reports)
    yield from list_required_models(declaration)[1]


def find_foreign_claims(
    declaration: Declaration, reports: Reports, stack: StackName
) -> Iterator[Problem]:
    """One problem for each node that is claimed, and not by this stack."""
    stack_name = str(stack)
    for node in declaration.active_nodes:
        claim = reports[node.name].facts.claim if node.name in reports else None
        if claim is not None and claim != stack_name:
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{node.name} belongs to stack {claim}, not to {stack_name}",
                because="two stacks on one node would undo each other's work",
                remedy=format_claim_remedy(claim, stack),
            )


def format_claim_remedy(claim: str, stack: StackName) -> str:
    """What to do about a node of another stack, or of this one under an earlier name.

    >>> print(format_claim_remedy("spark/old", StackName("spark", "new")))
    run `pulumi destroy` in spark/old first, or leave the node out here; if the stack was renamed, \
run `pulumi stack rename old`
    """
    remedy = f"run `pulumi destroy` in {claim} first, or leave the node out here"
    project, _, old_name = claim.rpartition("/")
    if project != stack.project:
        return remedy
    return f"{remedy}; if the stack was renamed, run `pulumi stack rename {old_name}`"


def find_missing_gpus(declaration: Declaration, reports: Reports) -> Iterator[Problem]:
    """Swarm places work on a GPU by its UUID: without one there is nothing to offer."""
    for node in declaration.active_nodes:
        report = reports.get(node.name)
        if report is None or not declaration.swarm_enabled:
            continue
        gpu_facts, reason = report.facts.gpu, report.find_unread_reason("fact gpu")
        if gpu_facts is None:
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"the GPU of {node.name} is unknown: {reason or 'not reported'}",
                because="Swarm places work on it by its UUID",
                remedy="run `nvidia-smi` on the node, or declare the node with `away: true`",
            )
        elif not gpu_facts.gpus:
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{node.name} shows no GPU",
                because="Swarm places work on it by its UUID",
                remedy="`nvidia-smi` on the node says why, and a reboot often brings it back; "
                "or declare the node with `away: true`",
            )
