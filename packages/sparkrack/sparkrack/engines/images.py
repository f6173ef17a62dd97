"""The engines' images on this machine: a base of Debian packages, and an engine's own files."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkrack import commands
from sparkrack.base_image import BaseImage, has_image
from sparkrack.content import hash_parts, list_tree_parts
from sparkrack.host import Notify, ask, must
from sparkrack.paths import PACKAGE

NEEDED_DISK_GIB = 1.5  # twice a base tar of 0.3 GiB, and the images made of it
BASE = BaseImage(
    "sparkform-rack-engine-base",
    "rack-engine-base",
    PACKAGE / "engines" / "packages.txt",
    NEEDED_DISK_GIB,
)


@dataclass(frozen=True)
class Recipe:
    """An engine's image: folders and files laid over the base, and what Docker keeps beside them.

    `reference` is its name on the nodes. `files` maps a path in the image to a file of this clone.
    """

    reference: str
    overlay: Path
    files: Mapping[str, Path]
    environment: Mapping[str, str]
    entrypoint: Sequence[str] = ()

    @property
    def changes(self) -> list[str]:
        """The instructions for `docker commit --change`."""
        entry = ", ".join(f'"{argument}"' for argument in self.entrypoint)
        settings = [f"ENV {name}={value}" for name, value in self.environment.items()]
        return [*settings, f"ENTRYPOINT [{entry}]", "CMD []", "WORKDIR /"]

    @property
    def content(self) -> str:
        """A digest of all that the image is made of."""
        files = [path.encode() + file.read_bytes() for path, file in self.files.items()]
        changes = [change.encode() for change in self.changes]
        return hash_parts(
            [BASE.reference.encode(), *list_tree_parts(self.overlay), *files, *changes]
        )

    @property
    def local_name(self) -> str:
        """Its name on this machine, which changes with its content."""
        return f"sparkform-rack-engine:{self.content}"


def ensure(recipe: Recipe, notify: Notify) -> str:
    """The image's name on this machine, built if it is missing. Needs a running dockerd."""
    if not has_image(recipe.local_name):
        BASE.ensure(notify)
        notify(f"building the image of {recipe.reference}")
        _make(recipe)
    return recipe.local_name


def _make(recipe: Recipe) -> None:
    docker, builder = commands.DOCKER, f"sparkform-rack-build-{uuid.uuid4().hex[:8]}"
    must([docker, "create", f"--name={builder}", "--network=none", BASE.reference, "true"])
    try:
        must([docker, "cp", f"{recipe.overlay}/.", f"{builder}:/"])
        for path, file in recipe.files.items():
            must([docker, "cp", str(file), f"{builder}:{path}"])
        changes = [f"--change={change}" for change in recipe.changes]
        must([docker, "commit", *changes, builder, recipe.local_name])
    finally:
        ask([docker, "rm", "--force", "--volumes", builder])
