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
from sparkform.plan.wants import ANCHOR

NOT_ITS_OWN_NODE = ("swarm_labels",)
"""What it disturbs is another node, one that leaves and so serves no more."""

Serving = Mapping[str, tuple[str, ...]]
"""By node: the services of which a rank runs on it."""


def disturbs(step: PlannedStep) -> str:
    """What running it disturbs: none, docker, fabric or host."""
    if step.is_held or step.decision.in_sync or step.step == ANCHOR:
        return "none"
    document = json.loads(step.decision.document)
    return STEPS[step.step].disturbs(document["have"], document["want"])


def stopped_by(step: PlannedStep, serving: Serving) -> tuple[str, ...]:
    """The services whose engines must end before the step is done."""
    if step.step in NOT_ITS_OWN_NODE or disturbs(step) == "none":
        return ()
    return serving.get(step.node, ())


def stopping(step: PlannedStep, serving: Serving) -> PlannedStep:
    """The step with the services that it stops, in its document and in its words."""
    services = stopped_by(step, serving)
    if not services:
        return step
    document = {**json.loads(step.decision.document), "stops": list(services)}
    decision = replace(step.decision, document=json.dumps(document, sort_keys=True))
    stops = ", ".join(f"this stops service {one}" for one in services)
    *first, last = step.lines
    return replace(step, decision=decision, lines=(*first, f"{last}; {stops}"))


def stops_of(service: str, steps: Iterable[PlannedStep]) -> tuple[PlannedStep, ...]:
    """The steps among these that say that they stop the service."""
    return tuple(
        step
        for step in steps
        if not step.is_held
        and service in json.loads(step.decision.document).get("stops", ())
        and not step.decision.in_sync
    )
