"""Packages that apt keeps as they are: kernel, driver, Docker, as they are installed now.

The receipt has their names. A package that others held before is held, and stays so at undo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from node.changes import package_hold
from node.errors import StepError
from node.host import packages
from node.host.system import System
from node.state.manifest import Manifest
from node.steps import DECLARED, Secrets, StepRequest, StepSpec


@dataclass(frozen=True)
class Want:
    """`groups` as the stack file names them; `packages`: those of them that are installed."""

    groups: tuple[str, ...]
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Observed:
    """`asked`: whether the node looked. `held` and `free`: installed packages by group."""

    asked: bool = False
    held: dict[str, tuple[str, ...]] | None = None
    free: dict[str, tuple[str, ...]] | None = None


def observe(system: System, request: StepRequest) -> Observed:
    """Raises StepError where dpkg does not answer."""
    if not request.raw.get(DECLARED):
        return Observed()
    installed = packages.list_installed(system)
    return Observed(True, _sort(installed, is_held=True), _sort(installed, is_held=False))


def _sort(installed: list[packages.Package], is_held: bool) -> dict[str, tuple[str, ...]]:
    chosen = [package for package in installed if package.is_held == is_held]
    return {
        group: tuple(sorted(package.name for package in chosen if package.group == group))
        for group in packages.GROUPS
    }


def build_want(groups: tuple[str, ...], observed: Observed) -> Want:
    """What should be held of what is there."""
    ordered = tuple(group for group in packages.GROUPS if group in groups)
    names = [
        name
        for group in ordered
        for name in (*(observed.held or {}).get(group, ()), *(observed.free or {}).get(group, ()))
    ]
    return Want(ordered, tuple(sorted(names)))


def narrow(observed: Observed, want: Want) -> Want:
    held = {name for names in (observed.held or {}).values() for name in names}
    return replace(want, packages=tuple(name for name in want.packages if name in held))


def list_missing(have: Want, want: Want) -> list[str]:
    return [name for name in want.packages if name not in have.packages]


def find_refusals(have: Want, want: Want) -> list[str]:
    absent = [group for group in want.groups if not _has_group(want, group)]
    return [
        f"host.hold: no package of {group} is installed by apt (got {group}); take it out of "
        "host.hold"
        for group in absent
    ]


def _has_group(want: Want, group: str) -> bool:
    return any(packages.find_group(name) == group for name in want.packages)


def compare(have: Want, want: Want) -> list[str]:
    missing = list_missing(have, want)
    held = [f"not held by apt: {', '.join(missing)}; will be held"] if missing else []
    return [*find_refusals(have, want), *held]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    refusals = find_refusals(want, want)
    if refusals:
        raise StepError("\n".join(refusals))
    observed = observe(manifest.system, StepRequest(raw={DECLARED: True}))
    return package_hold.hold(manifest, list_missing(narrow(observed, want), want))


SPEC = StepSpec(
    name="package_hold",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    find_refusals=find_refusals,
)
