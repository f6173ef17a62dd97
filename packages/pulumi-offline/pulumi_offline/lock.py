"""`make lock`: requirements.lock from pyproject.toml, with hashes and without host names.

`make lock ENGINE=vllm` does the same for the engine's own requirements.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from pulumi_offline.engines import vllm_recipe
from pulumi_offline.files import create_scratch_folder, write_atomically
from pulumi_offline.machine import Machine, run

OLDEST_PYTHON = "3.11"


COMMON = ("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--quiet")


@dataclass(frozen=True)
class Resolution:
    """What is resolved, how, and which file it becomes."""

    lock: Path
    command: str
    arguments: tuple[str, ...]


def plan_resolution(machine: Machine, engine: str | None) -> Resolution:
    if engine is None:
        every_python = ("--universal", "--python-version", OLDEST_PYTHON)
        arguments = ("pyproject.toml", "--extra", "dev", *every_python)
        return Resolution(machine.layout.lock, "make lock", arguments)
    # The engine runs in nodes alone, which are of one kind.
    wheels = ("--python-version", "3.11", "--python-platform", vllm_recipe.WHEELS_FOR)
    overrides = ("--override", str(vllm_recipe.OVERRIDES), "--only-binary", ":all:")
    engines = (str(vllm_recipe.REQUIREMENTS), *overrides, *wheels, "--no-annotate")
    return Resolution(vllm_recipe.LOCK, "make lock ENGINE=vllm", engines)


def regenerate(machine: Machine, engine: str | None = None) -> None:
    """Resolve anew with uv from a throw-away environment. Raises InputError when uv fails."""
    layout, variables = machine.layout, machine.environment
    wanted = plan_resolution(machine, engine)
    with create_scratch_folder(layout.toolchain) as folder:
        run([sys.executable, "-m", "venv", folder / "venv"], layout.root, variables)
        binaries = folder / "venv" / "bin"
        uv, output = str(binaries / "uv"), folder / "requirements.lock"
        run([binaries / "python", "-m", "pip", "install", "--quiet", "uv"], layout.root, variables)
        options = [
            *COMMON,
            "--custom-compile-command",
            wanted.command,
            "--output-file",
            str(output),
        ]
        run([uv, "pip", "compile", *wanted.arguments, *options], layout.root, variables)
        write_atomically(wanted.lock, output.read_text())
    print(f"lock: {wanted.lock.name} updated; run `make setup` to install it")
