"""`sparkform explain`: the story of a rule and its sources."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule, as `check` names it.")],
) -> None:
    """Tell why a rule exists, how much it weighs, and where that was read."""
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
