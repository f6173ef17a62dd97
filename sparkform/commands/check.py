"""`sparkform check`: what the rules say of a stack file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkform.rules.context import Context
    from sparkform.rules.outcome import RulesVerdict


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="The stack file.")],
    facts: Annotated[
        Path | None, typer.Option("--facts", help="Recorded facts; else the catalogue's hardware.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which rules a stack file breaks. Exit codes: 0 none, 1 a mandatory one, 2 bad input."""
    from sparkform.rules.evaluate import evaluate

    verdict = evaluate(read_context(stack, facts))
    if as_json:
        _print_json(verdict)
    else:
        _print_text(verdict)
    raise typer.Exit(1 if verdict.refusals else 0)


def read_context(stack: Path, facts: Path | None) -> Context:
    """What there is to judge. Raises InputError for unreadable files."""
    from sparkform.config import load_stack
    from sparkform.rules.context import Context
    from sparkform.rules.stack_secrets import list_secret_names

    declaration = load_stack(stack)
    reports, network = None, None
    if facts is not None:
        from sparkform.fabric.network import plan_network
        from sparkform.report.recording import load_facts

        reports = load_facts(facts).reports
        network, _ = plan_network(declaration, reports)
    secrets = list_secret_names(stack)
    return Context(declaration=declaration, reports=reports, network=network, secrets=secrets)


def _print_json(verdict: RulesVerdict) -> None:
    import json
    import sys

    print(json.dumps([violation.to_json() for violation in verdict.violations], indent=1))
    for line in _list_skipped(verdict):
        print(line, file=sys.stderr)


def _print_text(verdict: RulesVerdict) -> None:
    from sparkform.commands import findings

    findings.print_violations(verdict.violations)
    typer.echo(
        f"{len(verdict.refusals)} mandatory, {len(verdict.warnings)} advisory; "
        "`sparkform explain RULE` tells why."
    )
    for line in _list_skipped(verdict):
        typer.secho(line, dim=True)


def _list_skipped(verdict: RulesVerdict) -> Iterator[str]:
    """One line for each rule that lacked something, with all that it lacked."""
    reasons_by_rule: dict[str, list[str]] = {}
    for skip in verdict.skipped:
        reasons_by_rule.setdefault(skip.rule, []).append(skip.reason)
    for rule, reasons in reasons_by_rule.items():
        yield f"not judged: {rule}: {'; '.join(dict.fromkeys(reasons))}"
