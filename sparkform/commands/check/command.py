"""`sparkform check`: judge a stack file by the rules, on recorded facts where there are some."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from sparkform.commands import findings, options
from sparkform.commands.json_output import print_json
from sparkform.config import load_stack
from sparkform.report.recording import load_facts
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import RulesVerdict
from sparkform.rules.stack_secrets import list_secret_names


def run(
    stack: options.StackFile,
    facts: options.RecordedFacts = None,
    as_json: options.AsJson = False,
) -> None:
    """Without recorded facts the catalogue's hardware stands for the nodes."""
    verdict = evaluate(load_context(stack, facts))
    if as_json:
        _print_json(verdict)
    else:
        _print_text(verdict)
    raise typer.Exit(options.FINDINGS if verdict.refusals else 0)


def load_context(stack: Path, facts: Path | None) -> Context:
    """What there is to judge. Raises InputError for unreadable files."""
    declaration = load_stack(stack)
    reports = load_facts(facts).reports if facts else None
    return Context(declaration=declaration, reports=reports, secrets=list_secret_names(stack))


def _print_json(verdict: RulesVerdict) -> None:
    print_json(verdict.violations)
    for line in list_skipped(verdict):
        print(line, file=sys.stderr)


def _print_text(verdict: RulesVerdict) -> None:
    findings.print_violations(verdict.violations)
    typer.echo(
        f"{len(verdict.refusals)} mandatory, {len(verdict.warnings)} advisory; "
        "`sparkform explain RULE` explains one."
    )
    for line in list_skipped(verdict):
        typer.secho(line, dim=True)


def list_skipped(verdict: RulesVerdict) -> Iterator[str]:
    """One line for each rule that lacked something, with all that it lacked."""
    reasons_by_rule: dict[str, list[str]] = {}
    for skip in verdict.skipped:
        reasons_by_rule.setdefault(skip.rule, []).append(skip.reason)
    for rule, reasons in reasons_by_rule.items():
        yield f"not judged: {rule}: {'; '.join(dict.fromkeys(reasons))}"
