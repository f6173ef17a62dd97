"""`sparkform plan`: what `pulumi up` would do, without Pulumi and without touching a node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sparkform.cli.declared import DeclaredStack
    from sparkform.cli.plan_report import Planned
    from sparkform.facts import Observation


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")],
    facts: Annotated[
        Path | None, typer.Option(help="recorded facts: then no node is contacted")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs: docs/commands.md")] = False,
) -> None:
    """Show addresses, steps and what the rules say: what `pulumi up` would do. Touches no node."""
    import json

    from sparkform.cli.declared import load
    from sparkform.cli.plan_report import report

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
    from sparkform.cli.looking import look, passphrase_of, require_all, require_recorded
    from sparkform.facts import load_facts
    from sparkform.planner.targets import targets

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

    from sparkform.cli.plan_report import Planned
    from sparkform.errors import InputError
    from sparkform.facts.program import zipapp
    from sparkform.planner.plan import plan_rack
    from sparkform.planner.secrets import Secrets
    from sparkform.rules.context import Context, service_ranks
    from sparkform.rules.evaluate import evaluate
    from sparkform.rules.figures import figures
    from sparkform.rules.stack_secrets import secret_names

    sha256, names = hashlib.sha256(zipapp()).hexdigest(), secret_names(declared.file)
    secrets = Secrets(names or frozenset())
    made = plan_rack(declared.spec, found.documents, declared.name, sha256, secrets)
    if made.problems:
        raise InputError(made.problems)
    ranks = {name: service_ranks(one.launches) for name, one in made.services.items()}
    context = Context(spec=declared.spec, documents=found.documents, secrets=names, ranks=ranks)
    return Planned(declared.name, declared.spec, made, evaluate(context), figures(context))


def show(planned: Planned, found: dict[str, Any]) -> None:
    from sparkform.cli import plan_words, violations

    for title, lines in plan_words.sections(found):
        typer.secho(title, bold=True)
        for line in lines:
            typer.echo(f"  {line}")
        typer.echo()
    violations.show(planned.verdict.violations)
    typer.echo(plan_words.total(found))
