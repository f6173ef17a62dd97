"""The node image: a base of Debian packages, kept as a file, and the rack's own files above it."""

from __future__ import annotations

import uuid

from sparkrack import commands
from sparkrack.base_image import BaseImage, has_image
from sparkrack.content import hash_parts, list_tree_parts
from sparkrack.host import Notify, ask, must
from sparkrack.paths import PACKAGE

IMAGE = "sparkform-rack-node"
INIT = "/usr/local/lib/rack/init"
OVERLAYS = (PACKAGE / "image" / "rootfs", PACKAGE / "shims" / "rootfs")
SETUP = PACKAGE / "image" / "setup.sh"
NEEDED_DISK_GIB = 6  # twice a base tar of 0.5 GiB, two images, room for nodes
BASE = BaseImage(
    "sparkform-rack-base", "rack-base", PACKAGE / "image" / "packages.txt", NEEDED_DISK_GIB
)


def get_image_name() -> str:
    overlay_parts = [part for folder in OVERLAYS for part in list_tree_parts(folder)]
    digest = hash_parts([BASE.digest.encode(), SETUP.read_bytes(), *overlay_parts])
    return f"{IMAGE}:{digest}"


def make_image() -> None:
    """Lay the rack's files over the base, run setup.sh there and keep the result."""
    builder = f"sparkform-rack-build-{uuid.uuid4().hex[:8]}"
    docker = commands.DOCKER
    shell = ["sh", "-e", "/var/lib/rack-setup.sh"]
    must([docker, "create", f"--name={builder}", "--network=none", BASE.reference, *shell])
    try:
        for folder in OVERLAYS:
            if folder.is_dir():
                must([docker, "cp", f"{folder}/.", f"{builder}:/"])
        must([docker, "cp", str(SETUP), f"{builder}:/var/lib/rack-setup.sh"])
        must([docker, "start", "--attach", builder])
        entry = f'ENTRYPOINT ["{INIT}"]'
        must([docker, "commit", f"--change={entry}", "--change=CMD []", builder, get_image_name()])
    finally:
        ask([docker, "rm", "--force", "--volumes", builder])


def ensure_image(notify: Notify) -> str:
    """The name of the image with this content, built if it is missing. Needs a running dockerd."""
    if has_image(get_image_name()):
        return get_image_name()
    BASE.ensure(notify)
    notify("building the node image from the base image")
    make_image()
    return get_image_name()
