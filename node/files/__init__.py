"""What is ours in a file that others write too: how it goes in, and how only it comes out again.

Each format has `unmerge(text, edits) -> Unmerged`; an edit is the plain JSON value that the
manifest holds, with what was there before us and what we put there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reverted:
    """The text without what is ours; None when nothing else is left. `left`: what others own."""

    text: str | None
    kept: list[str]
