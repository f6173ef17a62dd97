"""What the rules say of this run, and the components that a policy pack judges.

A policy pack sees nothing of a program that fails before it has registered anything, so on a
refusal the components are registered first, with their props and without children.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.inference_service import InferenceService
from components.rack import Rack
from sparkform.config import Spec
from sparkform.fabric.network import Documents
from sparkform.plan.rack import RackPlan
from sparkform.rules.context import Context, service_ranks
from sparkform.rules.evaluate import evaluate
from sparkform.rules.figures import figures


@dataclass(frozen=True)
class Judged:
    """A run that may go on."""

    rack: Rack
    services: Mapping[str, InferenceService]
    warnings: tuple[str, ...]
    figures: Mapping[str, Mapping[str, object]]


def judge(spec: Spec, documents: Documents, secrets: frozenset[str], plan: RackPlan) -> Judged:
    """Register the components and log every warning. Raises RunError with all that is refused."""
    ranks = {name: service_ranks(one.launches) for name, one in plan.services.items()}
    context = Context(spec=spec, documents=documents, secrets=secrets, ranks=ranks)
    verdict = evaluate(context)
    rack = Rack(spec, secrets)
    inside = pulumi.ResourceOptions(parent=rack)
    services = {name: InferenceService(name, spec, secrets, inside) for name in spec.services}
    warnings = tuple(str(one) for one in verdict.warnings)
    for warning in warnings:
        pulumi.log.warn(warning, rack)
    refused = [*verdict.refusals, *plan.problems]
    if refused:
        raise pulumi.RunError("\n".join(str(one) for one in refused))
    known = {name: one.document() for name, one in figures(context).items()}
    return Judged(rack, services, warnings, known)
