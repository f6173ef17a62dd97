"""What the rules say of this run, and the components that a policy pack judges.

A policy pack sees nothing of a program that fails before it has registered anything, so on a
refusal the components are registered first, with their props and without children.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.inference_service import InferenceService
from components.rack import Rack
from sparkform.errors import Problem
from sparkform.planner.network import Documents
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.spec import Spec, unsupported_services


@dataclass(frozen=True)
class Judged:
    """A run that may go on."""

    rack: Rack
    warnings: tuple[str, ...]


def judge(
    spec: Spec, documents: Documents, secrets: frozenset[str], problems: Sequence[Problem]
) -> Judged:
    """Register the components and log every warning. Raises RunError with all that is refused."""
    verdict = evaluate(Context(spec=spec, documents=documents, secrets=secrets))
    rack = Rack(spec, secrets)
    for service in spec.services:
        InferenceService(service, spec, secrets, pulumi.ResourceOptions(parent=rack))
    warnings = tuple(str(one) for one in verdict.warnings)
    for warning in warnings:
        pulumi.log.warn(warning, rack)
    refused = [*verdict.refusals, *problems, *unsupported_services(spec)]
    if refused:
        raise pulumi.RunError("\n".join(str(one) for one in refused))
    return Judged(rack, warnings)
