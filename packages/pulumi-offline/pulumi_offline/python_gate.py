"""Which Python may run setup. Written so that an old Python can read it far enough to refuse."""

from __future__ import annotations

import sys

OLDEST = (3, 11)
NEWEST = (3, 13)


def format_refusal(version: tuple[int, int]) -> str:
    """A sentence when `version` (major, minor) is not supported, else an empty text."""
    if OLDEST <= version <= NEWEST:
        return ""
    return (
        "python: is of a version that sparkform is not tested with (got {}.{}); "
        "allowed: 3.11 to 3.13; name another one: `make setup PYTHON=python3.12`"
    ).format(*version)


def enforce() -> None:
    """End the process with exit code 2 under a Python that is not supported."""
    message = format_refusal(sys.version_info[:2])
    if message:
        sys.stderr.write(message + "\n")
        sys.exit(2)
