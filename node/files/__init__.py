"""Formats of files that others write too: our entries go in, and only they come out again.

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
