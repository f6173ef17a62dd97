"""`sparkform plan`: what `pulumi up` would do, without Pulumi and without touching a node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sparkform.commands.declared import DeclaredStack
    from sparkform.commands.plan.report import StackPlan
    from sparkform.report.rack_report import Observation


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")],
    facts: Annotated[
        Path | None, typer.Option(help="recorded facts: then no node is contacted")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs: docs/commands.md")] = False,
) -> None:
    """Show addresses, steps and what the rules say: what `pulumi up` would do. Touches no node."""
    import json

    from sparkform.commands.declared import load_declared_stack
    from sparkform.commands.plan.report import build_report

    declared = load_declared_stack(stack)
    stack_plan = plan_stack(declared, observe_stack(declared, facts))
    plan_report = build_report(stack_plan)
    if as_json:
        typer.echo(json.dumps(plan_report, indent=1))
    else:
        print_plan(stack_plan, plan_report)
    raise typer.Exit(1 if stack_plan.verdict.refusals else 0)


def observe_stack(declared: DeclaredStack, facts: Path | None) -> Observation:
    """Recorded facts, or a look at every node that is not away. Raises InputError."""
    from sparkform.commands.live_report import (
        find_passphrase_source,
        observe_targets,
        require_all_observed,
        require_recorded,
    )
    from sparkform.plan.targets import list_targets
    from sparkform.report.recording import load_facts

    if facts:
        observation = load_facts(facts)
        require_recorded(observation, declared.declaration)
    else:
        observation = observe_targets(
            list_targets(declared.declaration), find_passphrase_source(declared)
        )
    require_all_observed(observation)
    return observation


def plan_stack(declared: DeclaredStack, observation: Observation) -> StackPlan:
    """Raises InputError where the declaration does not fit the machines."""
    import hashlib

    from sparkform.commands.plan.report import StackPlan
    from sparkform.errors import InputError
    from sparkform.plan.rack import plan_rack
    from sparkform.plan.secrets import StackSecrets
    from sparkform.rules.context import Context, list_ranks
    from sparkform.rules.evaluate import evaluate
    from sparkform.rules.figures import estimate_services
    from sparkform.rules.stack_secrets import list_secret_names
    from sparkform.ssh.agent import build_zipapp

    sha256, names = hashlib.sha256(build_zipapp()).hexdigest(), list_secret_names(declared.file)
    secrets = StackSecrets(names or frozenset())
    rack_plan = plan_rack(declared.declaration, observation.reports, declared.name, sha256, secrets)
    if rack_plan.problems:
        raise InputError(rack_plan.problems)
    ranks = {name: list_ranks(launches) for name, launches in rack_plan.launches.items()}
    context = Context(
        declaration=declared.declaration,
        reports=observation.reports,
        secrets=names,
        planned_network=rack_plan.network,
        ranks=ranks,
    )
    return StackPlan(
        declared.name,
        declared.declaration,
        rack_plan,
        evaluate(context),
        estimate_services(context),
    )


def print_plan(stack_plan: StackPlan, plan_report: dict[str, Any]) -> None:
    from sparkform.commands import findings
    from sparkform.commands.plan import text

    for title, lines in text.render_sections(plan_report):
        typer.secho(title, bold=True)
        for line in lines:
            typer.echo(f"  {line}")
        typer.echo()
    findings.print_violations(stack_plan.verdict.violations)
    typer.echo(text.format_total(plan_report))
