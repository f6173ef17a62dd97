"""What a user did wrong, as values: collected first, shown all at once, never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake in a user's input, with the remedy."""

    path: str
    message: str
    got: str | None = None
    allowed: str | None = None
    because: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        got = f" (got {_escape_unprintable(self.got)})" if self.got is not None else ""
        parts = [
            f"{_escape_unprintable(self.path)}: {self.message}{got}",
            f"allowed: {_escape_unprintable(self.allowed)}" if self.allowed else "",
            f"because {self.because}" if self.because else "",
            self.remedy or "",
        ]
        return "; ".join(part for part in parts if part)


def _escape_unprintable(text: str) -> str:
    """Text of a user's must not act on the terminal when a message repeats it."""
    escaped = (
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    return "".join(escaped)


class InputError(Exception):
    """Bad input. Carries every problem found, so that one run shows them all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
