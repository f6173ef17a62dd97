"""The stack files of the repository; a user's lie beside them, and git ignores those."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXCEPTION = "!/"


def list_own_stack_files() -> set[str]:
    """Those that .gitignore leaves in, and that are there."""
    lines = (ROOT / ".gitignore").read_text().splitlines()
    names = {line.removeprefix(EXCEPTION) for line in lines if line.startswith(EXCEPTION)}
    return {path.name for path in ROOT.glob("Pulumi.*.yaml") if path.name in names}
