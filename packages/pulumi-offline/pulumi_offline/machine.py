"""What the steps of setup know about the machine, and how they run other programs on it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pulumi_offline.layout import Layout
from sparkform.errors import InputError, Problem

TAIL_LINES = 6


@dataclass(frozen=True)
class Machine:
    """One clone on one machine, with the user's environment."""

    layout: Layout
    environment: Mapping[str, str]
    cache: Path


def compute_digest(parts: Iterable[bytes]) -> str:
    """A short content hash; the parts are kept apart, so that moving a byte changes it."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


def run(argv: Sequence[str | Path], folder: Path, variables: Mapping[str, str]) -> str:
    """Run a program to its end and return its output.

    Raises InputError with its last lines of output when it fails.
    """
    result = subprocess.run(
        argv,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if result.returncode:
        tail = "\n".join(result.stdout.strip().splitlines()[-TAIL_LINES:])
        command = " ".join(map(str, argv[:4]))
        raise InputError(
            [Problem(path=command, message=f"exited with code {result.returncode}:\n{tail}")]
        )
    return result.stdout
