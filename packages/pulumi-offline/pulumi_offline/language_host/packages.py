"""Which packages lie beside a program, and which Pulumi plugins they need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pulumi_offline.language_host.options import RefusedError

# The official host lists the same two: their packages carry no statement that there is no plugin.
WITHOUT_PLUGIN = frozenset({"pulumi-policy", "pulumi-esc-sdk"})


@dataclass(frozen=True)
class Package:
    """An installed distribution: normalised name, version, names of what it requires."""

    name: str
    version: str
    requires: frozenset[str]


@dataclass(frozen=True)
class RequiredPlugin:
    """A resource plugin that an installed package needs, `version` with its leading v."""

    name: str
    version: str
    server: str


def normalize_name(name: str) -> str:
    """The canonical form of a package name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_required_name(requirement: str) -> str:
    """`grpcio<2,>=1.60; extra == "x"` is about `grpcio`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return normalize_name(match.group()) if match else ""


def describe(distribution: Distribution) -> Package:
    needs = frozenset(
        parse_required_name(text) for text in distribution.requires or [] if "extra ==" not in text
    )
    return Package(normalize_name(distribution.metadata["Name"]), distribution.version, needs)


def list_installed(site_packages: Sequence[str]) -> list[Package]:
    """Every distribution in the folders, sorted by name."""
    packages = {
        package.name: package for package in map(describe, distributions(path=list(site_packages)))
    }
    return [packages[name] for name in sorted(packages)]


def list_top_level(packages: Iterable[Package]) -> list[Package]:
    """The packages that no other one requires."""
    listed = list(packages)
    required = frozenset(name for package in listed for name in package.requires)
    return [package for package in listed if package.name not in required]


def find_plugin(
    package: str, version: str, statement: dict[str, object] | None
) -> RequiredPlugin | None:
    """The plugin that `package` needs according to its pulumi-plugin.json, None if it needs none.

    A package named pulumi-* without a statement needs the plugin of its own name and version.
    Raises RefusedError for a parameterized package: no plugin here knows parameters.
    """
    declaration = statement or {"resource": True}
    if not declaration.get("resource"):
        return None
    if "parameterization" in declaration or "extensionParameterization" in declaration:
        raise RefusedError(
            f"package {package} is parameterized, which this clone's language host does not "
            "support; put an official Pulumi on PATH"
        )
    name = str(declaration.get("name") or package.removeprefix("pulumi-"))
    chosen = str(declaration.get("version") or version)
    return RequiredPlugin(
        name, f"v{chosen.removeprefix('v')}", str(declaration.get("server") or "")
    )


def read_statement(site_packages: Sequence[str], package: str) -> dict[str, object] | None:
    for folder in site_packages:
        path = Path(folder, package.replace("-", "_"), "pulumi-plugin.json")
        if path.is_file():
            statement: dict[str, object] = json.loads(path.read_text())
            return statement
    return None


def list_candidates(site_packages: Sequence[str]) -> frozenset[str]:
    """Names of the installed packages that say something about a plugin, or are named pulumi-*."""
    folders = [
        path.parent for site in site_packages for path in Path(site).glob("*/pulumi-plugin.json")
    ]
    named = [path for site in site_packages for path in Path(site).glob("pulumi_*-*.dist-info")]
    return frozenset(
        [normalize_name(folder.name) for folder in folders]
        + [normalize_name(path.name.split("-")[0]) for path in named]
    )


def list_required_plugins(site_packages: Sequence[str]) -> list[RequiredPlugin]:
    """The plugins that the installed packages need, in order of package name."""
    wanted = sorted(list_candidates(site_packages) - WITHOUT_PLUGIN)
    plugins = (
        find_plugin(name, find_version(site_packages, name), read_statement(site_packages, name))
        for name in wanted
    )
    return [plugin for plugin in plugins if plugin]


def find_version(site_packages: Sequence[str], package: str) -> str:
    """Read from the folder name, because opening every METADATA file costs a start its time."""
    stem = package.replace("-", "_")
    for folder in site_packages:
        for path in Path(folder).glob(f"{stem}-*.dist-info"):
            return path.name.removesuffix(".dist-info").split("-")[1]
    return ""
