"""NCCL for native engines, at a version of our own choice and in one copy.

want: {"path": where it shows, "lock": one line of node.python.packages, "free_bytes"}. The
environment of native_venv links to it in the place of the NCCL that torch would bring: torch looks
there first, before LD_LIBRARY_PATH (its libraries have an RPATH), so nothing else would be loaded.
It comes after native_venv, whose pip fetches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import StepError
from node.host.system import System
from node.python import atomic_tree, packages, pip
from node.state.manifest import Manifest
from node.steps import native_venv

STEP = "native_nccl"
PATH = "/opt/sparkform/nccl"
PACKAGE_PATH = "/nvidia/nccl"
"""Where NVIDIA's package has it: `lib` and `include` lie there."""

LIBRARY = "lib/libnccl.so.2"
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """The version that shows at the path, and whether its library is there."""
    installed_tree = atomic_tree.find_tree(system, STEP, PATH)
    root = (installed_tree.target or "").removesuffix(PACKAGE_PATH)
    versions = packages.list_installed(system, root).versions if installed_tree.is_ours else {}
    return {
        "path": PATH if installed_tree.exists else None,
        "foreign": installed_tree.is_foreign,
        "packages": dict(versions),
        "library": system.get_state(f"{installed_tree.folder}/{LIBRARY}") is not None,
    }


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    versions = (observed.get("packages") or {}) if observed.get("library") else {}
    is_complete = versions == packages.parse_versions(want["lock"])
    lock = want["lock"] if is_complete else packages.render_lock(versions)
    return {"path": observed.get("path"), "lock": lock, "free_bytes": want["free_bytes"]}


def compare(have: Json, want: Json) -> list[str]:
    if have["path"] is None:
        packages_text = ", ".join(
            f"{name} {version}" for name, version in _get_versions(want).items()
        )
        return [f"{want['path']} is missing, will be {packages_text}"]
    return packages.format_differences(have["lock"], want["lock"])


def get_disturbance(have: Json, want: Json) -> str:
    """An engine that runs has the old library open: it keeps it until it is started anew."""
    return "none" if have == want or have["path"] is None else "host"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    system = manifest.system
    if narrow(observe(system, want), want) == want:
        return []
    python = (
        f"{atomic_tree.find_tree(system, native_venv.STEP, native_venv.PATH).folder}/bin/python"
    )
    if system.get_state(python) is None:
        raise StepError(f"{python} is missing, whose pip fetches NCCL; native_venv makes it.")

    def build(tree: str) -> list[str]:
        return _build(system, tree, python, want)

    return atomic_tree.install_tree(manifest, want["path"], want["lock"], PACKAGE_PATH, build)


def _build(system: System, tree: str, python: str, want: Json) -> list[str]:
    """From nothing each time: it is one package, and half of one cannot be told from a whole."""
    free_bytes = system.get_free_bytes(tree)
    if free_bytes < want["free_bytes"]:
        raise StepError(
            f"NCCL needs {want['free_bytes']} bytes below {tree}, {free_bytes} are free."
        )
    system.remove_tree(tree)
    system.make_directory(tree)
    lines = list(packages.parse_lock(want["lock"]).values())
    messages = pip.install(system, python, lines, target=tree)
    if system.get_state(f"{tree}{PACKAGE_PATH}/{LIBRARY}") is None:
        raise StepError(f"The package has no {PACKAGE_PATH[1:]}/{LIBRARY}: it is not NVIDIA's.")
    return messages


def _get_versions(want: Json) -> dict[str, str]:
    return packages.parse_versions(want["lock"])
