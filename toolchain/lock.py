"""`make lock`: requirements.lock from pyproject.toml, with hashes and without host names."""

from __future__ import annotations

import sys

from toolchain.files import scratch, write_atomically
from toolchain.machine import Machine, run

OLDEST_PYTHON = "3.11"


def regenerate(machine: Machine) -> None:
    """Resolve anew with uv from a throw-away environment. Raises InputError when uv fails."""
    layout, variables = machine.layout, machine.environment
    with scratch(layout.made) as folder:
        run([sys.executable, "-m", "venv", folder / "venv"], layout.root, variables)
        binaries = folder / "venv" / "bin"
        uv, made = str(binaries / "uv"), folder / "requirements.lock"
        run([binaries / "python", "-m", "pip", "install", "--quiet", "uv"], layout.root, variables)
        run(
            [
                *[uv, "pip", "compile", "pyproject.toml", "--extra", "dev"],
                *["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes"],
                *["--no-emit-index-url", "--no-emit-find-links", "--quiet"],
                *["--custom-compile-command", "make lock", "--output-file", str(made)],
            ],
            layout.root,
            variables,
        )
        write_atomically(layout.lock, made.read_text())
    print("lock: requirements.lock is new; `make setup` installs it")
