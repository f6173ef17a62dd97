"""Packages that apt is told to keep as they are; undo releases those that we held, and no other."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import StepError
from node.host import packages
from node.state.manifest import Manifest, ManifestEntry

KIND = "package_hold"
SUBJECT = "apt"


def hold(manifest: Manifest, names: Sequence[str]) -> list[str]:
    """Those that are not held yet. Raises StepError."""
    if not names:
        return []
    manifest.record(KIND, SUBJECT, packages=list(names))
    packages.mark(manifest.system, "hold", names)
    return [f"held: {', '.join(names)}"]


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    """One that was removed, or released by others, is left alone."""
    ours = {name for entry in entries for name in entry.facts["packages"]}
    try:
        installed = packages.list_installed(manifest.system)
        held = [package.name for package in installed if package.is_held and package.name in ours]
        if held:
            packages.mark(manifest.system, "unhold", held)
    except StepError as error:
        raise StepError(f"{error}; then `sudo apt-mark unhold {' '.join(sorted(ours))}`") from None
    return [f"released: {', '.join(held)}"] if held else []
