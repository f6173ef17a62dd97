"""The one way in which the rack touches the machine under it: commands that must work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from node.host.system import CommandResult, System

DEFAULT_TIMEOUT_S = 120.0
Notify = Callable[[str], None]
"""Takes one line of progress."""


class RackError(Exception):
    """The machine did not do what the rack asked of it. The message is one sentence for users."""


def ask(
    argv: Sequence[str], stdin: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
) -> CommandResult:
    """Run, whatever the command answers."""
    return System().run(argv, stdin, timeout_s)


def must(argv: Sequence[str], stdin: str = "", timeout_s: float = DEFAULT_TIMEOUT_S) -> str:
    """Run and return what it printed. Raises RackError with the command's own words."""
    result = ask(argv, stdin, timeout_s)
    if result.code:
        message = (result.err or result.out).strip() or f"exit code {result.code}"
        raise RackError(f"`{' '.join(argv[:4])} …` failed: {message}")
    return result.out
