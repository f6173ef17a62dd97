"""A tree that is built out of sight and installed by a link once it is complete.

    /opt/sparkform/vllm -> /opt/sparkform/trees/native_venv-1f0c33d2

A virtual environment contains its own path, so it is built where it stays and never renamed. An
unfinished tree is used by nothing, and the next run continues it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from node.changes import symlink, tree
from node.errors import StepError
from node.host.paths import SOFTWARE
from node.host.system import System
from node.state.manifest import Manifest

TREES = f"{SOFTWARE}/trees"
DIGITS = 12
BuildTree = Callable[[str], list[str]]


@dataclass(frozen=True)
class InstalledTree:
    """What is at a path: nothing, a tree of this step, or something of others."""

    path: str
    target: str | None
    exists: bool
    is_ours: bool

    @property
    def folder(self) -> str:
        """The folder with its files."""
        return self.target or self.path

    @property
    def is_foreign(self) -> bool:
        return self.exists and not self.is_ours


def find_tree(system: System, step: str, path: str) -> InstalledTree:
    """What is at the path, by what the manifest has of `step`."""
    target = system.read_link(path)
    targets = [
        entry.facts["target"] for entry in Manifest(system, step, "").list_for(symlink.KIND, path)
    ]
    exists = target is not None or system.get_state(path) is not None
    return InstalledTree(path, target, exists, target in targets[-1:])


def get_tree_folder(step: str, recipe: str) -> str:
    """The folder of a recipe's tree; each recipe has another. Pure."""
    return f"{TREES}/{step}-{hashlib.sha256(recipe.encode()).hexdigest()[:DIGITS]}"


def install_tree(
    manifest: Manifest, path: str, recipe: str, subfolder: str, build: BuildTree
) -> list[str]:
    """Build the recipe's tree, link it at `path`, then remove the trees that it replaces.

    `inside` is the part of the tree that the link points to, with its slash; "" for the whole.
    Raises StepError where others have put something at the path.
    """
    if find_tree(manifest.system, manifest.step, path).is_foreign:
        raise StepError(f"{path} was not made by sparkform and stays as it is; move it away first.")
    target = get_tree_folder(manifest.step, recipe)
    tree.make(manifest, target)
    messages = build(target)
    messages += symlink.ensure(manifest, path, f"{target}{subfolder}")
    return messages + tree.remove_others(manifest, target)
