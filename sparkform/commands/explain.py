"""`sparkform explain`: the story of a rule and its sources, or of a line in an engine's log."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    rule: Annotated[
        str, typer.Argument(metavar="RULE", help="As `check` or a failed start names it.")
    ],
) -> None:
    """Tell why a rule exists, how much it weighs, and where that was read."""
    from node.ranks.signatures import SIGNATURES
    from sparkform.rules.table import table

    if rule not in table() and any(one.id == rule for one in SIGNATURES):
        _lines_of(rule)
        return
    _story_of(rule)


def _story_of(rule: str) -> None:
    from node.ranks.signatures import SIGNATURES
    from sparkform.rules.story import story_of

    story = story_of(rule)
    print(f"{story.row.id} ({story.row.severity}; {story.engines})\n")
    print(story.text)
    print("\nSources:")
    for source in story.sources:
        print(f"  {source}")
    if story.row.can_refuse:
        print(
            "\nTo run in spite of it:\n  sparkform:cluster:\n    waive:\n"
            f"      - rule: {story.row.id}\n        reason: why it does not hold here"
        )
    shown = [one for one in SIGNATURES if one.rule == rule]
    for one in shown:
        print(f"\nIn the log of {' and '.join(one.engines)} ({one.id}):\n  {one.pattern}")


def _lines_of(id: str) -> None:
    """Engines print the same words for different causes: each row is told."""
    from node.ranks.signatures import SIGNATURES

    for one in (one for one in SIGNATURES if one.id == id):
        ends = "ends a start at once" if one.final else "explains a death that follows"
        print(f"{one.id} ({' and '.join(one.engines)}; a line in the log, {ends})\n")
        print(f"{one.what[0].upper()}{one.what[1:]}.\nWhat to do: {one.remedy}")
        print(f"Known by: {one.pattern}\nSource: {one.source}")
        print(f"Rule: `sparkform explain {one.rule}`\n" if one.rule else "")
