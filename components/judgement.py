"""What the rules say of this run, and the components that a policy pack judges.

A policy pack sees nothing of a program that fails before it has registered anything, so on a
refusal the components are registered first, with their props and without children.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi.runtime import is_dry_run

from components.inference_service import InferenceService
from components.rack import Rack
from sparkform.config import Declaration
from sparkform.fabric.network import Reports
from sparkform.plan.rack_plan import RackPlan
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate


@dataclass(frozen=True)
class JudgedRun:
    """A run that may go on."""

    rack: Rack
    services: Mapping[str, InferenceService]
    warnings: tuple[str, ...]


def judge_run(
    declaration: Declaration, reports: Reports, secrets: frozenset[str], plan: RackPlan
) -> JudgedRun:
    """Register the components. Raises RunError with all that is refused."""
    context = Context(
        declaration=declaration,
        reports=reports,
        secrets=secrets,
        network=plan.network,
        launches=plan.launches,
    )
    verdict = evaluate(context)
    rack = Rack(declaration, secrets)
    options = pulumi.ResourceOptions(parent=rack)
    services = {
        name: InferenceService(name, declaration, secrets, options)
        for name in declaration.declared_services
    }
    warnings = tuple(str(violation) for violation in verdict.warnings)
    refused = [*verdict.refusals, *plan.problems]
    if refused:
        raise pulumi.RunError("\n".join(str(problem) for problem in refused))
    return JudgedRun(rack, services, warnings)


def require_whole_look(plan: RackPlan) -> None:
    """End a run that held something, once all the rest is registered: Pulumi carries that out
    first. A preview goes on, or there would be no `up` after it. Raises RunError."""
    held = plan.unknown_lines
    if held and not is_dry_run():
        raise pulumi.RunError(
            f"{len(held)} of the stack's parts were not read and stay as they are; the rest is "
            "done, but nothing is removed that the stack file no longer has. Run it again:\n"
            + "\n".join(held)
        )
