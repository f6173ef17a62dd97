"""Python packages: what a lock names and what a folder of them holds. Pure but for `installed`.

A lock has one line a package, `name==version --hash=sha256:...` (pip's requirements format); lines
that begin with `#` are comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from node.host.system import System

INFO = ".dist-info"
# pip writes it last but for the list of files: a package without it was interrupted.
INSTALLER = "INSTALLER"
# What brings the environment itself, at the version that the system's Python brings.
TOOLS = frozenset({"pip"})

TOLD = 5
"""Packages that are named when more of them differ."""


@dataclass(frozen=True)
class Found:
    """Packages by name, and the metadata folders of those that were left half installed."""

    versions: Mapping[str, str]
    halves: tuple[str, ...] = ()


def locked(lock: str) -> dict[str, str]:
    """Lines of a lock by package name."""
    lines = [line.strip() for line in lock.splitlines()]
    return {_name(line.partition("==")[0]): line for line in lines if line and line[0] != "#"}


def versions(lock: str) -> dict[str, str]:
    """Versions of a lock by package name."""
    return {name: version_of(line) for name, line in locked(lock).items()}


def version_of(line: str) -> str:
    return _version(line.partition("==")[2].split()[0])


def listing(found: Mapping[str, str]) -> str:
    """What was found, as lines of a lock without hashes."""
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found))


def installed(system: System, folder: str) -> Found:
    """The packages in a folder, by the names of their metadata folders alone: thousands of files
    are not read at every look."""
    found, halves = {}, []
    for name in system.names(folder):
        if not name.endswith(INFO):
            continue
        package, _, version = name.removesuffix(INFO).partition("-")
        if system.state(f"{folder}/{name}/{INSTALLER}") is None:
            halves.append(f"{folder}/{name}")
        else:
            found[_name(package)] = _version(version)
    return Found({name: found[name] for name in found if name not in TOOLS}, tuple(halves))


def has_pip(system: System, folder: str) -> bool:
    return any(
        system.state(f"{folder}/{name}/{INSTALLER}") is not None
        for name in system.names(folder)
        if name.startswith("pip-") and name.endswith(INFO)
    )


def phrases(have: str, want: str) -> list[str]:
    """One for each package that differs, the first few; a new lock may change a hundred."""
    found, wanted = versions(have), versions(want)
    said = [
        f"{name} is {found.get(name, 'missing')}, will be {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]
    more = [name for name in found if name not in wanted]
    said += [f"{name} {found[name]} is not in the lock, will be removed" for name in more]
    rest = len(said) - TOLD
    return said if rest <= 1 else [*said[:TOLD], f"and {rest} more packages differ"]


def _name(text: str) -> str:
    """Names are compared in the form of PEP 503."""
    return re.sub(r"[-_.]+", "-", text.strip()).lower()


def _version(text: str) -> str:
    """Leading zeros of a number mean nothing (PEP 440); wheels drop them or not."""
    return re.sub(r"(?<![\d.])0+(?=\d)|(?<=\.)0+(?=\d)", "", text.strip().lower())
