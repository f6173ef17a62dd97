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
    name = step.step.partition(":")[0]
    is_docker_unknown = view.facts.docker is None and name in STEPS_NEEDING_DOCKER
    return name not in PROBED_STEPS and not is_docker_unknown


def check_netplan(view: NodeView) -> Iterator[Check]:
    """Entries of other tools about our interfaces that cannot be taken over."""
    address_state = as_mapping(view.report.steps.get("fabric_address"))
    for entry in map(as_mapping, as_list(address_state.get("others"))):
        if entry.get("obstacle"):
            names = ", ".join(as_list(entry.get("interfaces")))
            message = f"{entry.get('path')} also sets {names} and cannot be taken over: "
            fix = f"take these entries out of {entry.get('path')} by hand"
            yield view.fail("netplan", f"{message}{entry['obstacle']}", fix)


CHECKS = (check_netplan, check_steps)
