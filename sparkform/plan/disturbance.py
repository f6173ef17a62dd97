"""Which steps disturb a node that serves, and what they say of it. Pure.

Such a step ends the engine on its node before it does anything, and the service gets a new run:
its ranks only work as one (docs/design/ranks-and-tokens.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from node.steps import STEPS
from sparkform.plan.steps import PlannedStep
from sparkform.plan.wants import AGENT

DISTURBS_ANOTHER_NODE = ("swarm_labels",)
"""What it disturbs is another node, one that leaves and so serves no more."""

ServicesByNode = Mapping[str, tuple[str, ...]]
"""By node: the services of which a rank runs on it."""


def get_disturbance(step: PlannedStep) -> str:
    """What running it disturbs: none, docker, fabric or host."""
    if step.is_held or step.decision.in_sync or step.step == AGENT:
        return "none"
    document = json.loads(step.decision.document)
    return STEPS[step.step].get_disturbance(document["have"], document["want"])


def list_stopped_services(step: PlannedStep, serving: ServicesByNode) -> tuple[str, ...]:
    """The services whose engines must end before the step is done."""
    if step.step in DISTURBS_ANOTHER_NODE or get_disturbance(step) == "none":
        return ()
    return serving.get(step.node, ())


def mark_stopped_services(step: PlannedStep, serving: ServicesByNode) -> PlannedStep:
    """The step with the services that it stops, in its document and in its words."""
    services = list_stopped_services(step, serving)
    if not services:
        return step
    document = {**json.loads(step.decision.document), "stops": list(services)}
    decision = replace(step.decision, document=json.dumps(document, sort_keys=True))
    stops = ", ".join(f"this stops service {service}" for service in services)
    *first, last = step.lines
    return replace(step, decision=decision, lines=(*first, f"{last}; {stops}"))


def list_stopping_steps(service: str, steps: Iterable[PlannedStep]) -> tuple[PlannedStep, ...]:
    """The steps among these that say that they stop the service."""
    return tuple(
        step
        for step in steps
        if not step.is_held
        and service in json.loads(step.decision.document).get("stops", ())
        and not step.decision.in_sync
    )
