"""Which Python may run setup. Written so that an old Python can read it far enough to refuse."""

from __future__ import annotations

import sys

OLDEST = (3, 11)
NEWEST = (3, 13)


def check_version(version: tuple[int, int]) -> str:
    """A sentence when `version` (major, minor) is not supported, else an empty text."""
    if OLDEST <= version <= NEWEST:
        return ""
    return (
        "python: unsupported version (got {}.{}); "
        "allowed: 3.11 to 3.13; choose another: `make setup PYTHON=python3.12`"
    ).format(*version)


def enforce() -> None:
    """End the process with exit code 2 under a Python that is not supported."""
    message = check_version(sys.version_info[:2])
    if message:
        sys.stderr.write(message + "\n")
        sys.exit(2)
