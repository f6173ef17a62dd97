"""Step `bytecode`: our modules compiled, as pip does for the packages that it installs.

An editable install leaves that to the first import, and where PYTHONDONTWRITEBYTECODE is set (in
many images) every command would compile all of them again: a quarter of what `check` takes.
"""

from __future__ import annotations

from pathlib import Path

from pulumi_offline.machine import Machine, compute_digest, run

FOLDERS = ("sparkform", "components", "node", "policies", "packages")


def list_modules(root: Path) -> list[Path]:
    """The modules that are there, in a fixed order."""
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))


def compute_key(machine: Machine) -> str:
    """Of what Python itself compares: each file's time and size."""
    modules = [(path, path.stat()) for path in list_modules(machine.layout.root)]
    return compute_digest(
        [f"{path} {stat.st_mtime_ns} {stat.st_size}".encode() for path, stat in modules]
    )


def is_ready(machine: Machine) -> bool:
    return (machine.layout.root / "sparkform" / "__pycache__").is_dir()


def make(machine: Machine) -> str:
    layout = machine.layout
    argv: list[str | Path] = [layout.virtualenv / "bin" / "python", "-m", "compileall", "-q"]
    run([*argv, *FOLDERS], layout.root, machine.environment)
    return f"{len(list_modules(layout.root))} modules compiled"
