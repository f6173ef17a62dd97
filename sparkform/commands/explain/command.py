"""`sparkform explain`: the story of a rule and its sources, or of a line in an engine's log."""

from __future__ import annotations

from typing import Annotated

import typer

from node.ranks.signatures import SIGNATURES
from sparkform.rules.story import find_story
from sparkform.rules.table import load_table


def run(
    rule: Annotated[
        str,
        typer.Argument(metavar="RULE", help="Name it as `check` or a failed start prints it."),
    ],
) -> None:
    """A rule comes before a signature of the same name."""
    if rule not in load_table() and any(signature.id == rule for signature in SIGNATURES):
        _print_signatures(rule)
        return
    _print_story(rule)


def _print_story(rule: str) -> None:
    story = find_story(rule)
    print(f"{story.row.id} ({story.row.severity}; {story.engines})\n")
    print(story.text)
    print("\nSources:")
    for source in story.sources:
        print(f"  {source}")
    if story.row.can_refuse:
        print(
            "\nTo waive it:\n  sparkform:cluster:\n    waive:\n"
            f"      - rule: {story.row.id}\n        reason: why it does not hold here"
        )
    for signature in SIGNATURES:
        if signature.rule == rule:
            engines = " and ".join(signature.engines)
            print(f"\nIn the log of {engines} ({signature.id}):\n  {signature.pattern}")


def _print_signatures(id: str) -> None:
    """Engines print the same words for different causes: each row is printed."""
    for signature in SIGNATURES:
        if signature.id != id:
            continue
        effect = "ends a start at once" if signature.final else "explains a death that follows"
        print(f"{signature.id} ({' and '.join(signature.engines)}; a line in the log, {effect})\n")
        print(f"{signature.summary[0].upper()}{signature.summary[1:]}.")
        print(f"What to do: {signature.remedy}")
        print(f"Known by: {signature.pattern}\nSource: {signature.source}")
        print(f"Rule: `sparkform explain {signature.rule}`\n" if signature.rule else "")
