"""Runs commands on the machine under the rack."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from node.host.system import CommandResult, System

DEFAULT_TIMEOUT_S = 120.0
Notify = Callable[[str], None]
"""Takes one line of progress."""


class RackError(Exception):
    """A command on the machine failed. The message is one sentence for users."""


def ask(
    argv: Sequence[str], stdin: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
) -> CommandResult:
    """Run a command, whatever its exit code."""
    return System().run(argv, stdin, timeout_s)


def must(argv: Sequence[str], stdin: str = "", timeout_s: float = DEFAULT_TIMEOUT_S) -> str:
    """Run a command and return its output. Raises RackError with its error output."""
    result = ask(argv, stdin, timeout_s)
    if result.code:
        message = (result.err or result.out).strip() or f"exit code {result.code}"
        raise RackError(f"`{' '.join(argv[:4])} …` failed: {message}")
    return result.out
