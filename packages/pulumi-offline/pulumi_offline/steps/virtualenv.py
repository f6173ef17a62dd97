"""Step `packages`: .venv with what requirements.lock says, and our own projects editable."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from pulumi_offline.files import create_scratch, replace_folder
from pulumi_offline.machine import Machine, compute_digest, run
from pulumi_offline.python_gate import NEWEST, OLDEST
from pulumi_offline.versions import find_disk_problem, parse_unconditional_pins
from sparkform.errors import InputError

# Measured: 0.24 GiB installed, and pip downloads and unpacks beside it.
NEEDED_GIB = 1.0
GIB = 1024**3
PROJECTS = {
    ".": "sparkform",
    "packages/sparkrack": "sparkrack",
    "packages/pulumi-offline": "offline-pulumi",
}
"""The projects of the repository by folder: one lock for all of them."""


def compute_key(machine: Machine) -> str:
    layout = machine.layout
    projects = [(layout.root / project / "pyproject.toml").read_bytes() for project in PROJECTS]
    return compute_digest([layout.lock.read_bytes(), *projects])


def read_installed_versions(folder: Path) -> dict[str, str]:
    """Normalised package name to version, read from the names of the *.dist-info folders."""
    names = (path.name.removesuffix(".dist-info") for path in folder.glob("*.dist-info"))
    pairs = (name.split("-", 1) for name in names)
    return {re.sub(r"[-_.]+", "-", pair[0]).lower(): pair[1] for pair in pairs}


def is_ready(machine: Machine) -> bool:
    """Whether .venv, a folder or a link to one, holds every pinned package and our own projects.

    One that `make` built knows the project's packages as pyproject.toml named them then.
    """
    if is_outdated(machine):
        return False
    wanted = parse_unconditional_pins(machine.layout.lock.read_text())
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        folder = machine.layout.virtualenv / "lib" / f"python3.{minor}" / "site-packages"
        installed = read_installed_versions(folder)
        if wanted.items() <= installed.items() and installed.keys() >= set(PROJECTS.values()):
            return True
    return False


def is_outdated(machine: Machine) -> bool:
    built = machine.layout.virtualenv.resolve()
    is_ours = built.parent == (machine.layout.made / "venvs").resolve()
    return is_ours and not built.name.startswith(compute_key(machine))


def make(machine: Machine) -> str:
    """Keep a fitting .venv, else build one aside and switch the name `.venv` to it.

    An environment cannot be moved, so it is built under its final name in .toolchain/venvs and
    .venv is a link. A .venv that links outside this clone loses the link, never its content.
    """
    if is_ready(machine):
        return "as requirements.lock says"
    folder = machine.layout.made / "venvs" / f"{compute_key(machine)}-{sys.version_info.minor}"
    problem = find_disk_problem(machine.layout.root, free_gib(machine.layout.root), NEEDED_GIB)
    if problem:
        raise InputError([problem])
    try:
        build(machine, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    switch(machine.layout.virtualenv, folder)
    return f"{len(parse_unconditional_pins(machine.layout.lock.read_text()))} installed into .venv"


def build(machine: Machine, folder: Path) -> None:
    root, variables = machine.layout.root, machine.environment
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run([sys.executable, "-m", "venv", folder], root, variables)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    run([*pip, "--require-hashes", "-r", machine.layout.lock], root, variables)
    editable = [word for project in PROJECTS for word in ("-e", root / project)]
    run([*pip, "--no-deps", "--no-build-isolation", *editable], root, variables)


def switch(name: Path, folder: Path) -> None:
    with create_scratch(folder.parent) as aside:
        link = aside / "link"
        link.symlink_to(folder.relative_to(name.parent))
        replace_folder(link, name)


def free_gib(folder: Path) -> float:
    return shutil.disk_usage(folder).free / GIB
