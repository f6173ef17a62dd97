"""What the plan would change on a node: the lines that `pulumi preview` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from node.host.plain import as_list, as_mapping
from sparkform.doctor.check import Check, NodeView
from sparkform.plan.steps import PlannedStep

STEPS_NEEDING_DOCKER = ("docker_daemon", "swarm", "swarm_token", "swarm_labels")
"""Steps of which nothing can be said while dockerd is silent, which is a row of its own."""

PROBED_STEPS = ("fabric_check", "ready")
"""They have no state: the rows of cables and services say what they would find."""


def check_steps(view: NodeView) -> Iterator[Check]:
    """A row a step. On a node that this stack has, a difference is drift; else it is yet to do."""
    steps = [
        step for step in view.plan.steps if step.node == view.node.name and _is_known(view, step)
    ]
    changing = [step for step in steps if _is_changing(view, step)]
    add_row, name = (view.fail, "drift") if view.is_claimed else (view.warn, "to do")
    for step in changing:
        yield add_row(name, "\n".join(step.lines), "`pulumi up`")
    if steps and not changing and view.is_planned:
        is_held = any(step.is_held for step in steps)
        suffix = " (some are deferred: a required node is away)" if is_held else ""
        yield view.ok("steps", f"{len(steps)} checked, all as planned{suffix}")


def _is_changing(view: NodeView, step: PlannedStep) -> bool:
    """Where nodes are missing from the plan, a step that differs only in its record may do so
    because of them."""
    if step.is_held or step.decision.in_sync:
        return False
    return step.differs or view.is_plan_whole


def _is_known(view: NodeView, step: PlannedStep) -> bool:
    """Whether the node's state of a step was read, so that a difference means something."""
    name = step.step.partition(":")[0]
    if name in PROBED_STEPS or not view.was_read(f"step {step.step}"):
        return False
    if not view.was_read(f"step {name}") or not view.was_read("receipts"):
        return False
    return view.facts.docker is not None or name not in STEPS_NEEDING_DOCKER


def check_netplan(view: NodeView) -> Iterator[Check]:
    """Entries of other tools about our interfaces that cannot be taken over."""
    address_state = as_mapping(view.report.steps.get("fabric_address"))
    for entry in map(as_mapping, as_list(address_state.get("others"))):
        if entry.get("obstacle"):
            path, names = entry.get("path"), ", ".join(as_list(entry.get("interfaces")))
            message = f"{path} also sets {names} and cannot be taken over: {entry['obstacle']}"
            yield view.fail("netplan", message, f"take these entries out of {path} by hand")


CHECKS = (check_netplan, check_steps)
