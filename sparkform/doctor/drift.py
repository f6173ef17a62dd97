"""What the plan would change on a node: the lines that `pulumi preview` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from node.network import netplan
from node.steps import STEPS, fabric_address, is_same
from sparkform.doctor.check import Check, NodeView
from sparkform.plan.steps import PlannedStep

NOT_CHANGED = "not changed"
"""The row of what the plan leaves as it is, because too little of it is known."""


def check_steps(view: NodeView) -> Iterator[Check]:
    """A row a step. On a node that this stack has, a difference is drift; else it is yet to do.
    What is not known well enough to be changed is one row."""
    steps = [
        step for step in view.plan.steps if step.node == view.node.name and _is_known(view, step)
    ]
    changing = [step for step in steps if _is_changing(view, step)]
    add_row, name = (view.fail, "drift") if view.is_claimed else (view.warn, "to do")
    for step in changing:
        yield add_row(name, "\n".join(step.lines), "`pulumi up`")
    unknown = [line for step in steps if step.unknown for line in step.lines]
    if unknown:
        yield Check(view.node.name, NOT_CHANGED, "warn", "\n".join(unknown))
    elif steps and not changing and view.is_planned:
        is_held = any(step.is_held for step in steps)
        suffix = " (some are deferred: a required node is away)" if is_held else ""
        yield view.ok("steps", f"{len(steps)} checked, all as planned{suffix}")


def _is_changing(view: NodeView, step: PlannedStep) -> bool:
    """Where nodes are missing from the plan, a step that differs only in its record may do so
    because of them."""
    if step.is_held or step.decision.in_sync:
        return False
    return view.is_plan_whole or not is_same(step.have, step.want)


def _is_known(view: NodeView, step: PlannedStep) -> bool:
    """Whether a difference means something, or its absence is said."""
    spec = STEPS.get(step.step)
    if spec is None or step.unknown:
        return True
    return not spec.is_probe and not (spec.needs_docker and view.facts.docker is None)


def check_netplan(view: NodeView) -> Iterator[Check]:
    """Entries of other tools about our interfaces that cannot be taken over."""
    spec = fabric_address.SPEC
    planned = {interface.name for interface in view.plan.network.fabric.get(view.node.name, ())}
    claims = spec.read_observed(view.report.steps.get(spec.name)).claims
    narrowed = [netplan.narrow_claim(claim, planned) if planned else claim for claim in claims]
    for claim in filter(None, narrowed):
        if claim.obstacle:
            names = ", ".join(claim.interfaces)
            message = f"{claim.path} also sets {names} and cannot be taken over: {claim.obstacle}"
            yield view.fail("netplan", message, f"remove these entries from {claim.path} by hand")


CHECKS = (check_netplan, check_steps)
