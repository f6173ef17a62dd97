"""Formats of files that others write too: our entries go in, and only they come out again.

Each format has `revert_edits(text, edits) -> Reverted`; an edit is the plain JSON value that the
manifest holds, with what was there before us and what we put there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reverted:
    """The text without our entries; None when nothing else is left. `changed`: entries of ours that
    others have changed since, which stay."""

    text: str | None
    changed: list[str]
