"""NCCL for native engines, at a version of our own choice and in one copy.

The environment of native_venv links to it in the place of the NCCL that torch would bring: torch
looks there first, before LD_LIBRARY_PATH (its libraries have an RPATH), so nothing else would be
loaded. It comes after native_venv, whose pip fetches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.errors import StepError
from node.host.paths import NCCL_FOLDER, VIRTUALENV
from node.host.system import System
from node.python import atomic_tree, packages, pip
from node.state.manifest import Manifest
from node.steps import Disturbance, Secrets, StepRequest, StepSpec, native_venv

STEP = "native_nccl"
PACKAGE_PATH = "/nvidia/nccl"
"""Where NVIDIA's package has it: `lib` and `include` lie there."""

LIBRARY = "lib/libnccl.so.2"


@dataclass(frozen=True)
class Want:
    """`path`: where it shows, null where nothing does. `lock`: one line of node.python.packages."""

    path: str | None
    lock: str
    free_bytes: int


@dataclass(frozen=True)
class Observed:
    """The version that shows at the path, and whether its library is there."""

    path: str | None = None
    foreign: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)
    library: bool = False


def observe(system: System, request: StepRequest) -> Observed:
    tree = atomic_tree.find_tree(system, STEP, NCCL_FOLDER)
    root = (tree.target or "").removesuffix(PACKAGE_PATH)
    versions = packages.list_installed(system, root).versions if tree.is_ours else {}
    return Observed(
        path=NCCL_FOLDER if tree.exists else None,
        foreign=tree.is_foreign,
        packages=dict(versions),
        library=system.get_state(f"{tree.folder}/{LIBRARY}") is not None,
    )


def narrow(observed: Observed, want: Want) -> Want:
    versions = observed.packages if observed.library else {}
    is_complete = versions == packages.parse_versions(want.lock)
    lock = want.lock if is_complete else packages.render_lock(versions)
    return Want(observed.path, lock, want.free_bytes)


def compare(have: Want, want: Want) -> list[str]:
    if have.path is None:
        versions = packages.parse_versions(want.lock)
        text = ", ".join(f"{name} {version}" for name, version in versions.items())
        return [f"{want.path} is missing, will be {text}"]
    return packages.format_differences(have.lock, want.lock)


def get_disturbance(have: Want, want: Want) -> Disturbance:
    """An engine that runs has the old library open: it keeps it until it is started anew."""
    return "none" if have == want or have.path is None else "host"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system = manifest.system
    if narrow(observe(system, StepRequest()), want) == want:
        return []
    environment = atomic_tree.find_tree(system, native_venv.STEP, VIRTUALENV)
    python = f"{environment.folder}/bin/python"
    if system.get_state(python) is None:
        raise StepError(f"{python} is missing, whose pip fetches NCCL; native_venv makes it.")

    def build(tree: str) -> list[str]:
        return _build(system, tree, python, want)

    return atomic_tree.install_tree(
        manifest, want.path or NCCL_FOLDER, want.lock, PACKAGE_PATH, build
    )


def _build(system: System, tree: str, python: str, want: Want) -> list[str]:
    """From nothing each time: it is one package, and half of one cannot be told from a whole."""
    free_bytes = system.get_free_bytes(tree)
    if free_bytes < want.free_bytes:
        raise StepError(f"NCCL needs {want.free_bytes} bytes below {tree}, {free_bytes} are free.")
    system.remove_tree(tree)
    system.make_directory(tree)
    lines = list(packages.parse_lock(want.lock).values())
    messages = pip.install(system, python, lines, target=tree)
    if system.get_state(f"{tree}{PACKAGE_PATH}/{LIBRARY}") is None:
        raise StepError(f"The package has no {PACKAGE_PATH[1:]}/{LIBRARY}: it is not NVIDIA's.")
    return messages


SPEC = StepSpec(
    name=STEP,
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    get_disturbance=get_disturbance,
    # It fetches gigabytes while it holds the lock.
    hold_s=1800.0,
)
