"""NCCL for native engines, at a version of our own choice and in one copy.

want: {"path": where it shows, "lock": one line of node.python.packages, "free_bytes"}. The
environment of native_venv links to it in the place of the NCCL that torch would bring: torch looks
there first, before LD_LIBRARY_PATH (its libraries have an RPATH), so nothing else would be loaded.
It comes after native_venv, whose pip fetches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import Refusal
from node.host.system import System
from node.python import atomic_tree, packages, pip
from node.state.manifest import Journal
from node.steps import native_venv

STEP = "native_nccl"
PATH = "/opt/sparkform/nccl"
INSIDE = "/nvidia/nccl"
"""Where NVIDIA's package has it: `lib` and `include` lie there."""

LIBRARY = "lib/libnccl.so.2"
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """The version that shows at the path, and whether its library is there."""
    shown = atomic_tree.look(system, STEP, PATH)
    root = (shown.target or "").removesuffix(INSIDE)
    found = packages.installed(system, root).versions if shown.is_ours else {}
    return {
        "path": PATH if shown.exists else None,
        "foreign": shown.is_foreign,
        "packages": dict(found),
        "library": system.state(f"{shown.place}/{LIBRARY}") is not None,
    }


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    found = (seen.get("packages") or {}) if seen.get("library") else {}
    is_whole = found == packages.versions(want["lock"])
    lock = want["lock"] if is_whole else packages.listing(found)
    return {"path": seen.get("path"), "lock": lock, "free_bytes": want["free_bytes"]}


def differences(have: Json, want: Json) -> list[str]:
    if have["path"] is None:
        named = ", ".join(f"{name} {version}" for name, version in _versions(want).items())
        return [f"{want['path']} is missing, will be {named}"]
    return packages.phrases(have["lock"], want["lock"])


def disturbs(have: Json, want: Json) -> str:
    """An engine that runs has the old library open: it keeps it until it is started anew."""
    return "none" if have == want or have["path"] is None else "host"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    system = journal.system
    if narrow(observe(system, want), want) == want:
        return []
    python = f"{atomic_tree.look(system, native_venv.STEP, native_venv.PATH).place}/bin/python"
    if system.state(python) is None:
        raise Refusal(f"{python} is missing, whose pip fetches NCCL; native_venv makes it.")

    def build(tree: str) -> list[str]:
        return _build(system, tree, python, want)

    return atomic_tree.stand(journal, want["path"], want["lock"], INSIDE, build)


def _build(system: System, tree: str, python: str, want: Json) -> list[str]:
    """From nothing each time: it is one package, and half of one cannot be told from a whole."""
    free = system.free_bytes(tree)
    if free < want["free_bytes"]:
        raise Refusal(f"NCCL needs {want['free_bytes']} bytes below {tree}, {free} are free.")
    system.remove_tree(tree)
    system.make_directory(tree)
    lines = list(packages.locked(want["lock"]).values())
    done = pip.install(system, python, lines, target=tree)
    if system.state(f"{tree}{INSIDE}/{LIBRARY}") is None:
        raise Refusal(f"The package has no {INSIDE[1:]}/{LIBRARY}: it is not NVIDIA's.")
    return done


def _versions(want: Json) -> dict[str, str]:
    return packages.versions(want["lock"])
