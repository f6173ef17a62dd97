"""What the plan would change on a node: the lines that `pulumi preview` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from node.host.plain import listing, mapping
from sparkform.doctor.check import Check, View
from sparkform.plan.steps import PlannedStep

NEEDS_DOCKER = ("docker_daemon", "swarm", "swarm_token", "swarm_labels")
"""Steps of which nothing can be said while dockerd is silent, which is a row of its own."""

TRIED_HERE = ("fabric_check", "ready")
"""They have no state: the rows of cables and services say what they would find."""


def steps(view: View) -> Iterator[Check]:
    """A row a step. On a node that this stack has, a difference is drift; else it is yet to do."""
    own = [step for step in view.plan.steps if step.node == view.node.name and _counts(view, step)]
    changing = [step for step in own if not step.is_held and not step.decision.in_sync]
    severe, name = (view.fail, "drift") if view.is_ours else (view.warn, "to do")
    for step in changing:
        yield severe(name, "\n".join(step.lines), "`pulumi up`")
    if own and not changing:
        held = " (some wait for a node that is away)" if any(one.is_held for one in own) else ""
        yield view.ok("steps", f"{len(own)} looked at, all as planned{held}")


def _counts(view: View, step: PlannedStep) -> bool:
    name = step.step.partition(":")[0]
    is_blind = view.facts.docker is None and name in NEEDS_DOCKER
    return name not in TRIED_HERE and not is_blind


def netplan(view: View) -> Iterator[Check]:
    """Entries of other tools about our interfaces that cannot be taken over."""
    seen = mapping(view.document.steps.get("fabric_address"))
    for one in map(mapping, listing(seen.get("others"))):
        if one.get("obstacle"):
            names = ", ".join(listing(one.get("interfaces")))
            said = f"{one.get('path')} also sets {names} and cannot be taken over: "
            fix = f"take these entries out of {one.get('path')} by hand"
            yield view.fail("netplan", f"{said}{one['obstacle']}", fix)


CHECKS = (netplan, steps)
