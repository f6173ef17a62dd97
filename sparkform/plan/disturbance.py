"""Which steps disturb a node that serves, and what they say of it. Pure.

Such a step ends the engine on its node before it does anything, and the service gets a new run:
its ranks only work as one (docs/design/ranks-and-tokens.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from node.steps import STEPS
from sparkform.plan.context import PlanContext
from sparkform.plan.steps import PlannedStep, hold_unknown

ServicesByNode = Mapping[str, tuple[str, ...]]
"""By node: the services of which a rank runs on it, or may run as far as is known."""


@dataclass(frozen=True)
class Serving:
    """What runs where. `unclear`, by service: what of its nodes was not read, so that it could not
    be started again once it is stopped."""

    services: ServicesByNode
    unclear: Mapping[str, str] = field(default_factory=dict)


def list_stopped_services(step: PlannedStep, serving: ServicesByNode) -> tuple[str, ...]:
    """The services whose engines must end before the step is done."""
    if step.disturbance == "none" or not STEPS[step.step].disturbs_own_node:
        return ()
    return serving.get(step.node, ())


def mark_stopped_services(context: PlanContext, step: PlannedStep, serving: Serving) -> PlannedStep:
    """The step with the services that it stops, in its document and in its words; held where one of
    them could not be started again."""
    services = list_stopped_services(step, serving.services)
    if not services:
        return step
    unclear = [serving.unclear[service] for service in services if service in serving.unclear]
    if unclear:
        return hold_unknown(context.get_record(step.node, step.step), unclear[0])
    stops = ", ".join(f"this stops service {service}" for service in services)
    *first, last = step.lines
    return replace(
        step,
        decision=replace(step.decision, stops=services),
        lines=(*first, f"{last}; {stops}"),
    )


def list_stopping_steps(service: str, steps: Iterable[PlannedStep]) -> tuple[PlannedStep, ...]:
    """The steps among these that say that they stop the service."""
    return tuple(step for step in steps if service in step.decision.stops)
