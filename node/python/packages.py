"""Python packages: those of a lock and those in a folder. Pure but for `list_installed`.

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

NAMED_LIMIT = 5
"""How many packages are named where more differ."""


@dataclass(frozen=True)
class InstalledPackages:
    """Versions by name, and the metadata folders of packages whose installation was interrupted."""

    versions: Mapping[str, str]
    unfinished: tuple[str, ...] = ()


def parse_lock(lock: str) -> dict[str, str]:
    """Lines of a lock by package name."""
    lines = [line.strip() for line in lock.splitlines()]
    return {
        _normalize_name(line.partition("==")[0]): line for line in lines if line and line[0] != "#"
    }


def parse_versions(lock: str) -> dict[str, str]:
    """Versions of a lock by package name."""
    return {name: parse_version(line) for name, line in parse_lock(lock).items()}


def parse_version(line: str) -> str:
    return _normalize_version(line.partition("==")[2].split()[0])


def render_lock(package_versions: Mapping[str, str]) -> str:
    """Versions as lines of a lock without hashes."""
    return "".join(f"{name}=={package_versions[name]}\n" for name in sorted(package_versions))


def list_installed(system: System, folder: str) -> InstalledPackages:
    """The packages in a folder, by the names of their metadata folders alone: thousands of files
    are not read at every observation."""
    package_versions, unfinished = {}, []
    for name in system.list_names(folder):
        if not name.endswith(INFO):
            continue
        package, _, version = name.removesuffix(INFO).partition("-")
        if system.get_state(f"{folder}/{name}/{INSTALLER}") is None:
            unfinished.append(f"{folder}/{name}")
        else:
            package_versions[_normalize_name(package)] = _normalize_version(version)
    return InstalledPackages(
        {name: package_versions[name] for name in package_versions if name not in TOOLS},
        tuple(unfinished),
    )


def has_pip(system: System, folder: str) -> bool:
    return any(
        system.get_state(f"{folder}/{name}/{INSTALLER}") is not None
        for name in system.list_names(folder)
        if name.startswith("pip-") and name.endswith(INFO)
    )


def format_differences(have: str, want: str) -> list[str]:
    """A phrase for each package that differs, the first few; a new lock may change a hundred."""
    installed_versions, locked_versions = parse_versions(have), parse_versions(want)
    phrases = [
        f"{name} is {installed_versions.get(name, 'missing')}, will be {locked_versions[name]}"
        for name in locked_versions
        if installed_versions.get(name) != locked_versions[name]
    ]
    extra = [name for name in installed_versions if name not in locked_versions]
    phrases += [
        f"{name} {installed_versions[name]} is not in the lock, will be removed" for name in extra
    ]
    hidden_count = len(phrases) - NAMED_LIMIT
    return (
        phrases
        if hidden_count <= 1
        else [*phrases[:NAMED_LIMIT], f"and {hidden_count} more packages differ"]
    )


def _normalize_name(text: str) -> str:
    """The name in the form of PEP 503."""
    return re.sub(r"[-_.]+", "-", text.strip()).lower()


def _normalize_version(text: str) -> str:
    """Without leading zeros of numbers, which mean nothing (PEP 440) and which some wheels drop."""
    return re.sub(r"(?<![\d.])0+(?=\d)|(?<=\.)0+(?=\d)", "", text.strip().lower())
