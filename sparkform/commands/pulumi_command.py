"""Calling the `pulumi` command: found on PATH, or built by `make setup` in the project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sparkform.errors import InputError, Problem

TOOLCHAIN = Path(".toolchain")
BUILT = TOOLCHAIN / "bin" / "pulumi"
LIMIT_S = 120.0


def find(folder: Path) -> str | None:
    built = folder / BUILT
    return shutil.which("pulumi") or (str(built) if built.is_file() else None)


def root_of(folder: Path) -> Path | None:
    """The folder whose bin/ holds it; None where PATH leads to it. Raises InputError."""
    if shutil.which("pulumi"):
        return None
    if find(folder) is None:
        raise InputError([_missing()])
    return folder / TOOLCHAIN


def run(folder: Path, arguments: list[str], stdin: str = "") -> str:
    """What it printed. Raises InputError where it is missing, slow or fails.

    No secret may stand in `arguments`: other users see them in the process list.
    """
    found = find(folder)
    if found is None:
        raise InputError([_missing()])
    try:
        done = subprocess.run(
            [found, *arguments, "--non-interactive"],
            cwd=folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError([_problem(f"did not run: {type(error).__name__}", None)]) from None
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "no message"
        raise InputError([_problem(f"`pulumi {' '.join(arguments)}` failed: {said}", None)])
    return done.stdout


def _missing() -> Problem:
    return _problem("is not on PATH", f"`make setup` makes {BUILT}")


def _problem(what: str, remedy: str | None) -> Problem:
    return Problem(path="pulumi", what=what, remedy=remedy)
