"""An image of one program, with what it loads, out of a base of Debian packages."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkrack import commands
from sparkrack.base_image import BaseImage, has_image
from sparkrack.content import hash_parts, list_tree_parts
from sparkrack.host import Notify, ask, must

MAKE_TIMEOUT_S = 300.0
COPY = r"""
set -e
copy() {
    for file in "$1" $(ldd "$1" | grep -o '/[^ )]*'); do
        mkdir -p "/out$(dirname "$file")" && cp -L "$file" "/out$file"
    done
}
for program; do copy "$program"; done
mkdir -p /out/etc /out/run /out/tmp /out/usr/local/bin
cp /etc/passwd /etc/group /out/etc/
"""
SEND = "tar --create --directory /out .\n"


@dataclass(frozen=True)
class PackedImage:
    """`more`: what else the image has, as shell; `overlay`: files that are laid over the base.
    `changes`: the instructions for `docker import --change`."""

    name: str
    base: BaseImage
    programs: tuple[str, ...]
    changes: tuple[str, ...]
    more: str = ""
    overlay: Path | None = None

    @property
    def script(self) -> str:
        """One program with what it loads, on standard output."""
        return COPY + self.more + SEND

    @property
    def local_name(self) -> str:
        parts = [self.base.reference, self.script, *self.programs, *self.changes]
        tree = list_tree_parts(self.overlay) if self.overlay else []
        return f"{self.name}:{hash_parts([*(part.encode() for part in parts), *tree])}"


def ensure_packed(image: PackedImage, title: str, notify: Notify) -> str:
    """The image's name on this machine, built if it is missing. Needs a running dockerd."""
    if not has_image(image.local_name):
        image.base.ensure(notify)
        notify(f"building the image of {title}")
        _make(image)
    return image.local_name


def _make(image: PackedImage) -> None:
    docker, builder = commands.DOCKER, f"sparkform-rack-build-{uuid.uuid4().hex[:8]}"
    shell: Sequence[str] = ["sh", "-c", image.script, "pack", *image.programs]
    must([docker, "create", f"--name={builder}", "--network=none", image.base.reference, *shell])
    try:
        if image.overlay:
            must([docker, "cp", f"{image.overlay}/.", f"{builder}:/"])
        changes = [f"--change={change}" for change in image.changes]
        load = shlex.join([docker, "import", *changes, "-", image.local_name])
        start = shlex.join([docker, "start", "--attach", builder])
        must(["sh", "-c", f"{start} | {load}"], timeout_s=MAKE_TIMEOUT_S)
    finally:
        ask([docker, "rm", "--force", "--volumes", builder])
