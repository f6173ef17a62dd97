"""`sparkform plan`: what `pulumi up` would do, without Pulumi and without touching a node."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import typer

from sparkform.catalogue.describe import apply_image
from sparkform.commands import findings, options
from sparkform.commands.declared import DeclaredStack, load_declared_stack
from sparkform.commands.json_output import print_json
from sparkform.commands.live_report import (
    load_or_observe,
    require_all_observed,
    require_recorded,
)
from sparkform.commands.plan import text
from sparkform.commands.plan.report import PlanReport, StackPlan, build_report
from sparkform.commands.rack_speed import describe_rack_speed
from sparkform.errors import InputError, Problem
from sparkform.plan.rack import plan_rack
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.targets import list_targets
from sparkform.report.rack_report import Observation
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.evaluate import evaluate
from sparkform.rules.figures import Figures, estimate_services
from sparkform.rules.outcome import Violation
from sparkform.rules.stack_secrets import list_secret_names
from sparkform.ssh.agent import build_zipapp


def run(
    stack: options.StackFile,
    facts: options.RecordedFacts = None,
    as_json: options.AsJson = False,
) -> None:
    """Addresses, steps and what the rules say."""
    declared = load_declared_stack(stack)
    report = build_report(plan_stack(declared, observe_stack(declared, facts)))
    show = print_json if as_json else print_plan
    show(report)
    is_refused = any(violation.severity == "mandatory" for violation in report.violations)
    is_refused = is_refused or any(step.refused for step in report.steps)
    code = options.INCOMPLETE if report.unknown else 0
    raise typer.Exit(options.FINDINGS if is_refused else code)


def observe_stack(declared: DeclaredStack, facts: Path | None) -> Observation:
    """Recorded facts, or reports of every node that is not away. Raises InputError."""
    observation = load_or_observe(declared, facts, list_targets(declared.declaration))
    if facts is not None:
        require_recorded(observation, declared.declaration)
    require_all_observed(observation)
    return observation


def plan_stack(declared: DeclaredStack, observation: Observation) -> StackPlan:
    """Raises InputError where the declaration does not fit the machines, with what the rules refuse
    of it: all that `pulumi up` would refuse."""
    sha256, names = hashlib.sha256(build_zipapp()).hexdigest(), list_secret_names(declared.file)
    secrets = StackSecrets(names or frozenset())
    rack_plan = plan_rack(declared.declaration, observation.reports, declared.name, sha256, secrets)
    context = Context(
        declaration=declared.declaration,
        reports=observation.reports,
        secrets=names,
        network=rack_plan.network,
        launches=rack_plan.launches,
    )
    verdict = evaluate(context)
    if rack_plan.problems:
        raise InputError([*map(_to_problem, verdict.refusals), *rack_plan.problems])
    return StackPlan(
        declared.full_name,
        declared.declaration,
        rack_plan,
        verdict,
        add_rack_speeds(context),
    )


def _to_problem(refusal: Violation) -> Problem:
    """In the words of `pulumi up`."""
    message = str(refusal).removeprefix(f"{refusal.path}: ")
    return Problem(path=refusal.path, message=message)


def add_rack_speeds(context: Context) -> dict[str, Figures]:
    """Each service's figures, with what this user's racks measured of its build beside them."""
    return {
        view.name: _add_rack_speed(view, figures)
        for view, figures in zip(context.services, estimate_services(context).values(), strict=True)
    }


def _add_rack_speed(view: ServiceView, figures: Figures) -> Figures:
    if view.subject is None or figures.decode_tok_s is None:
        return figures
    subject = apply_image(view.subject, view.block.image)
    measured = describe_rack_speed(
        figures.decode_tok_s, view.block.engine, subject.quantisation.family, view.block.image, 1
    )
    return replace(figures, on_this_rack=measured)


def print_plan(report: PlanReport) -> None:
    for title, lines in text.render_sections(report):
        typer.secho(title, bold=True)
        for line in lines:
            typer.echo(f"  {line}")
        typer.echo()
    findings.print_violations(report.violations)
    typer.echo(text.format_total(report))
