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
    from node.ranks.signatures import load_signatures
    from sparkform.rules.table import load_table

    if rule not in load_table() and any(signature.id == rule for signature in load_signatures()):
        _print_signatures(rule)
        return
    _print_story(rule)


def _print_story(rule: str) -> None:
    from node.ranks.signatures import load_signatures
    from sparkform.rules.explanation import find_explanation

    story = find_explanation(rule)
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
    shown = [signature for signature in load_signatures() if signature.rule == rule]
    for signature in shown:
        print(
            f"\nIn the log of {' and '.join(signature.engines)} ({signature.id}):\n  "
            f"{signature.pattern}"
        )


def _print_signatures(id: str) -> None:
    """Engines print the same words for different causes: each row is told."""
    from node.ranks.signatures import load_signatures

    for signature in (signature for signature in load_signatures() if signature.id == id):
        ends = "ends a start at once" if signature.final else "explains a death that follows"
        print(f"{signature.id} ({' and '.join(signature.engines)}; a line in the log, {ends})\n")
        print(
            f"{signature.summary[0].upper()}{signature.summary[1:]}.\nWhat to do: "
            f"{signature.remedy}"
        )
        print(f"Known by: {signature.pattern}\nSource: {signature.source}")
        print(f"Rule: `sparkform explain {signature.rule}`\n" if signature.rule else "")
