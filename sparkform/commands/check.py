"""`sparkform check`: what the rules say of a stack file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkform.rules.context import Context
    from sparkform.rules.outcome import Verdict


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
        _print_words(verdict)
    raise typer.Exit(1 if verdict.refusals else 0)


def read_context(stack: Path, facts: Path | None) -> Context:
    """What there is to judge. Raises InputError for unreadable files."""
    from sparkform.config import load_stack
    from sparkform.rules.context import Context
    from sparkform.rules.stack_secrets import secret_names

    spec = load_stack(stack)
    documents = None
    if facts is not None:
        from sparkform.report.recording import load_facts

        documents = load_facts(facts).documents
    return Context(spec=spec, documents=documents, secrets=secret_names(stack))


def _print_json(verdict: Verdict) -> None:
    import json
    import sys

    print(json.dumps([one.document() for one in verdict.violations], indent=1))
    for line in _not_judged(verdict):
        print(line, file=sys.stderr)


def _print_words(verdict: Verdict) -> None:
    from sparkform.commands import findings

    findings.show(verdict.violations)
    typer.echo(
        f"{len(verdict.refusals)} mandatory, {len(verdict.warnings)} advisory; "
        "`sparkform explain RULE` tells why."
    )
    for line in _not_judged(verdict):
        typer.secho(line, dim=True)


def _not_judged(verdict: Verdict) -> Iterator[str]:
    """One line for each rule that lacked something, with all that it lacked."""
    lacking: dict[str, list[str]] = {}
    for one in verdict.skipped:
        lacking.setdefault(one.rule, []).append(one.reason)
    for rule, reasons in lacking.items():
        yield f"not judged: {rule}: {'; '.join(dict.fromkeys(reasons))}"
