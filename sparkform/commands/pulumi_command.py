"""Calling the `pulumi` command: found on PATH, or built by `make setup` in the project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sparkform.errors import InputError, Problem

TOOLCHAIN = Path(".toolchain")
BUILT = TOOLCHAIN / "bin" / "pulumi"
LIMIT_S = 120.0


def find_pulumi(folder: Path) -> str | None:
    built = folder / BUILT
    return shutil.which("pulumi") or (str(built) if built.is_file() else None)


def find_root(folder: Path) -> Path | None:
    """The folder whose bin/ holds it; None where PATH leads to it. Raises InputError."""
    if shutil.which("pulumi"):
        return None
    if find_pulumi(folder) is None:
        raise InputError([_describe_missing()])
    return folder / TOOLCHAIN


def run_pulumi(folder: Path, arguments: list[str], stdin: str = "") -> str:
    """What it printed. Raises InputError where it is missing, slow or fails.

    No secret may stand in `arguments`: other users see them in the process list.
    """
    executable = find_pulumi(folder)
    if executable is None:
        raise InputError([_describe_missing()])
    try:
        result = subprocess.run(
            [executable, *arguments, "--non-interactive"],
            cwd=folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(
            [_build_problem(f"could not be run: {type(error).__name__}", None)]
        ) from None
    if result.returncode != 0:
        message = result.stderr.strip() or result.stdout.strip() or "no message"
        raise InputError(
            [_build_problem(f"`pulumi {' '.join(arguments)}` failed: {message}", None)]
        )
    return result.stdout


def _describe_missing() -> Problem:
    return _build_problem("is not on PATH", f"run `make setup`, which builds {BUILT}")


def _build_problem(message: str, remedy: str | None) -> Problem:
    return Problem(path="pulumi", message=message, remedy=remedy)
