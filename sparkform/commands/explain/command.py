"""`sparkform explain`: why a rule exists, with its sources, or of a line in an engine's log."""

from __future__ import annotations

from typing import Annotated

import typer

from node.ranks.signatures import FATAL, HARMLESS, HINT, SYMPTOM, load_signatures
from sparkform.rules.explanation import find_explanation
from sparkform.rules.table import load_table

EFFECTS = {
    FATAL: "ends a start at once",
    HINT: "explains a death that follows",
    SYMPTOM: "explains a death that follows, where no cause is printed",
    HARMLESS: "means nothing",
}


def run(
    rule: Annotated[
        str,
        typer.Argument(metavar="RULE", help="Name it as `check` or a failed start prints it."),
    ],
) -> None:
    """A rule comes before a signature of the same name."""
    if rule not in load_table() and any(signature.id == rule for signature in load_signatures()):
        _print_signatures(rule)
        return
    _print_explanation(rule)


def _print_explanation(rule: str) -> None:
    explanation = find_explanation(rule)
    print(f"{explanation.row.id} ({explanation.row.severity}; {explanation.engines})\n")
    print(explanation.text)
    print("\nSources:")
    for source in explanation.sources:
        print(f"  {source}")
    if explanation.row.can_refuse:
        print(
            "\nTo waive it:\n  sparkform:cluster:\n    waive:\n"
            f"      - rule: {explanation.row.id}\n        reason: why it does not hold here"
        )
    for signature in load_signatures():
        if signature.rule == rule:
            engines = " and ".join(signature.engines)
            print(f"\nIn the log of {engines} ({signature.id}):\n  {signature.pattern}")


def _print_signatures(id: str) -> None:
    """Engines print the same words for different causes: each row is printed."""
    for signature in load_signatures():
        if signature.id != id:
            continue
        effect = EFFECTS[signature.weight]
        print(f"{signature.id} ({' and '.join(signature.engines)}; a line in the log, {effect})\n")
        print(f"{signature.summary[0].upper()}{signature.summary[1:]}.")
        print(f"What to do: {signature.remedy}")
        print(f"Known by: {signature.pattern}\nSource: {signature.source}")
        print(f"Rule: `sparkform explain {signature.rule}`\n" if signature.rule else "")
