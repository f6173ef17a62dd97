"""A tree that is made out of sight and shows itself by a link once it is whole.

    /opt/sparkform/vllm -> /opt/sparkform/trees/native_venv-1f0c33d2

A virtual environment holds its own path, so it is made where it stays and not renamed afterwards.
An unfinished tree is seen by nobody, and the next run goes on with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from node.changes import symlink, tree
from node.errors import Refusal
from node.host.system import System
from node.state.manifest import Journal

TREES = "/opt/sparkform/trees"
DIGITS = 12
Build = Callable[[str], list[str]]


@dataclass(frozen=True)
class Shown:
    """What stands at a path: nothing, a tree of this step's own, or something of others."""

    path: str
    target: str | None
    exists: bool
    is_ours: bool

    @property
    def place(self) -> str:
        """Where its files lie."""
        return self.target or self.path

    @property
    def is_foreign(self) -> bool:
        return self.exists and not self.is_ours


def look(system: System, step: str, path: str) -> Shown:
    """What is at the path, by what `step` recorded."""
    target = system.link_target(path)
    made = [entry.facts["target"] for entry in Journal(system, step, "").of(symlink.KIND, path)]
    exists = target is not None or system.state(path) is not None
    return Shown(path, target, exists, target in made[-1:])


def folder(step: str, recipe: str) -> str:
    """Where the tree of a recipe lies: another recipe never builds into it. Pure."""
    return f"{TREES}/{step}-{hashlib.sha256(recipe.encode()).hexdigest()[:DIGITS]}"


def stand(journal: Journal, path: str, recipe: str, inside: str, build: Build) -> list[str]:
    """Build the recipe's tree, show it at `path`, then drop the trees that it replaces.

    `inside` is the part of the tree that the link points to, with its slash; "" for the whole.
    Raises Refusal where others have put something at the path.
    """
    if look(journal.system, journal.step, path).is_foreign:
        raise Refusal(f"{path} was made by others and is left as it is; move it away first.")
    target = folder(journal.step, recipe)
    tree.make(journal, target)
    done = build(target)
    done += symlink.ensure(journal, path, f"{target}{inside}")
    return done + tree.drop_others(journal, target)
