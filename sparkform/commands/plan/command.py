"""`sparkform plan`: what `pulumi up` would do, without Pulumi and without touching a node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sparkform.commands.declared import DeclaredStack
    from sparkform.commands.plan.report import Planned
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

    from sparkform.commands.declared import load
    from sparkform.commands.plan.report import report

    declared = load(stack)
    made = planned(declared, seen(declared, facts))
    found = report(made)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        show(made, found)
    raise typer.Exit(1 if made.verdict.refusals else 0)


def seen(declared: DeclaredStack, facts: Path | None) -> Observation:
    """Recorded facts, or a look at every node that is not away. Raises InputError."""
    from sparkform.commands.live_report import look, passphrase_of, require_all, require_recorded
    from sparkform.plan.targets import targets
    from sparkform.report.recording import load_facts

    if facts:
        found = load_facts(facts)
        require_recorded(found, declared.spec)
    else:
        found = look(targets(declared.spec), passphrase_of(declared))
    require_all(found)
    return found


def planned(declared: DeclaredStack, found: Observation) -> Planned:
    """Raises InputError where the declaration does not fit the machines."""
    import hashlib

    from sparkform.commands.plan.report import Planned
    from sparkform.errors import InputError
    from sparkform.plan.rack import plan_rack
    from sparkform.plan.secrets import Secrets
    from sparkform.rules.context import Context, service_ranks
    from sparkform.rules.evaluate import evaluate
    from sparkform.rules.figures import figures
    from sparkform.rules.stack_secrets import secret_names
    from sparkform.ssh.agent import zipapp

    sha256, names = hashlib.sha256(zipapp()).hexdigest(), secret_names(declared.file)
    secrets = Secrets(names or frozenset())
    made = plan_rack(declared.spec, found.documents, declared.name, sha256, secrets)
    if made.problems:
        raise InputError(made.problems)
    ranks = {name: service_ranks(one.launches) for name, one in made.services.items()}
    context = Context(spec=declared.spec, documents=found.documents, secrets=names, ranks=ranks)
    return Planned(declared.name, declared.spec, made, evaluate(context), figures(context))


def show(planned: Planned, found: dict[str, Any]) -> None:
    from sparkform.commands import findings
    from sparkform.commands.plan import text

    for title, lines in text.sections(found):
        typer.secho(title, bold=True)
        for line in lines:
            typer.echo(f"  {line}")
        typer.echo()
    findings.show(planned.verdict.violations)
    typer.echo(text.total(found))
