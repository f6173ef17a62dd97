"""Real vLLM on a CPU: where `make setup ENGINE=vllm` left it, and where nodes see it.

One folder of 6 GB on this machine is mounted read-only into every node, and from there into
containers that ask for it: no image carries it.
"""

from __future__ import annotations

from pathlib import Path

from sparkform.errors import InputError, Problem
from sparkrack.paths import CLONE

PREFIX = "/opt/rack/vllm"
LINK = CLONE / ".toolchain" / "engines" / "vllm"


def find_installed() -> Path | None:
    """The folder on this machine, or None where it was not set up."""
    return LINK.resolve() if LINK.exists() else None


def list_mounts() -> list[str]:
    """For `docker create` of a node."""
    folder = find_installed()
    return [f"--volume={folder}:{PREFIX}:ro"] if folder else []


def require_installed() -> None:
    """Raises InputError where it was not set up."""
    if find_installed() is None:
        raise InputError(
            [
                Problem(
                    path="vllm",
                    message="is not installed on this machine",
                    remedy="run `make setup ENGINE=vllm` (6 GB), then recreate the rack",
                )
            ]
        )
