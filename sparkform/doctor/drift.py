"""What the plan would change on a node: the lines that `pulumi preview` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from node.steps import STEPS, fabric_address
from sparkform.doctor.check import Check, NodeView
from sparkform.plan.steps import PlannedStep


def check_steps(view: NodeView) -> Iterator[Check]:
    """A row a step. On a node that this stack has, a difference is drift; else it is yet to do."""
    node_steps = [
        step for step in view.plan.steps if step.node == view.node.name and _is_checked(view, step)
    ]
    changing = [step for step in node_steps if not step.is_held and not step.decision.in_sync]
    report_difference, name = (view.fail, "drift") if view.is_claimed else (view.warn, "to do")
    for step in changing:
        yield report_difference(name, "\n".join(step.lines), "`pulumi up`")
    if node_steps and not changing:
        suffix = (
            " (some wait for a node that is away)" if any(one.is_held for one in node_steps) else ""
        )
        yield view.ok("steps", f"{len(node_steps)} looked at, all as planned{suffix}")


def _is_checked(view: NodeView, step: PlannedStep) -> bool:
    """A silent dockerd is a row of its own, and so is what a probe would find."""
    spec = STEPS.get(step.step)
    if spec is None:
        return True
    return not spec.is_probe and not (spec.needs_docker and view.facts.docker is None)


def check_netplan(view: NodeView) -> Iterator[Check]:
    """Entries of other tools about our interfaces that cannot be taken over."""
    spec = fabric_address.SPEC
    for claim in spec.read_observed(view.report.steps.get(spec.name)).claims:
        if claim.obstacle:
            names = ", ".join(claim.interfaces)
            message = f"{claim.path} also sets {names} and cannot be taken over: {claim.obstacle}"
            yield view.fail("netplan", message, f"remove these entries from {claim.path} by hand")


CHECKS = (check_netplan, check_steps)
