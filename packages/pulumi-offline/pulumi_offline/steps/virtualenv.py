"""Step `packages`: .venv with what requirements.lock says, and our own projects editable."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from pulumi_offline.files import create_scratch_folder
from pulumi_offline.machine import Machine, compute_digest, run
from pulumi_offline.python_gate import NEWEST, OLDEST
from pulumi_offline.versions import check_disk, parse_unconditional_pins
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
MARK = "sparkform-setup"
"""The file in .venv that says for which packages setup built it."""
UNFINISHED = "unfinished"


def compute_key(machine: Machine) -> str:
    layout = machine.layout
    projects = [(layout.root / project / "pyproject.toml").read_bytes() for project in PROJECTS]
    return compute_digest([layout.lock.read_bytes(), *projects])


def list_installed(folder: Path) -> dict[str, str]:
    """Normalised package name to version, read from the names of the *.dist-info folders."""
    names = (path.name.removesuffix(".dist-info") for path in folder.glob("*.dist-info"))
    pairs = (name.split("-", 1) for name in names)
    return {re.sub(r"[-_.]+", "-", pair[0]).lower(): pair[1] for pair in pairs}


def is_ready(machine: Machine) -> bool:
    """Whether .venv, a folder or a link to one, holds every pinned package and our own projects.

    One that `make` built is marked with the packages that the project named then.
    """
    if is_outdated(machine):
        return False
    wanted = parse_unconditional_pins(machine.layout.lock.read_text())
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        folder = machine.layout.virtualenv / "lib" / f"python3.{minor}" / "site-packages"
        installed = list_installed(folder)
        if wanted.items() <= installed.items() and installed.keys() >= set(PROJECTS.values()):
            return True
    return False


def is_outdated(machine: Machine) -> bool:
    """Whether setup built this .venv, for other packages than the project has now or only half."""
    folder = machine.layout.virtualenv
    mark = folder / MARK
    return not folder.is_symlink() and mark.is_file() and mark.read_text() != compute_key(machine)


def make(machine: Machine) -> str:
    """Keep a fitting .venv, else build one in its place.

    .venv is a folder, as `python -m venv`, pip and `pulumi install` expect it: a link breaks the
    last. An environment cannot be moved, so it is built under this name while the one before lies
    aside, and that one comes back if the build fails. A .venv that links elsewhere loses the link,
    never its content.
    """
    if is_ready(machine):
        return "already match requirements.lock"
    problem = check_disk(machine.layout.root, measure_free_gib(machine.layout.root), NEEDED_GIB)
    if problem:
        raise InputError([problem])
    folder = machine.layout.virtualenv
    with create_scratch_folder(machine.layout.toolchain) as aside:
        previous = aside / "previous"
        if folder.is_symlink() or folder.exists():
            folder.rename(previous)
        try:
            build(machine, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            if previous.is_symlink() or previous.exists():
                previous.rename(folder)
            raise
    return f"{len(parse_unconditional_pins(machine.layout.lock.read_text()))} installed into .venv"


def build(machine: Machine, folder: Path) -> None:
    """The mark says until the last moment that the environment is not whole."""
    root, variables = machine.layout.root, machine.environment
    run([sys.executable, "-m", "venv", folder], root, variables)
    (folder / MARK).write_text(UNFINISHED)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    run([*pip, "--require-hashes", "-r", machine.layout.lock], root, variables)
    editable = [argument for project in PROJECTS for argument in ("-e", root / project)]
    run([*pip, "--no-deps", "--no-build-isolation", *editable], root, variables)
    (folder / MARK).write_text(compute_key(machine))


def measure_free_gib(folder: Path) -> float:
    return shutil.disk_usage(folder).free / GIB
