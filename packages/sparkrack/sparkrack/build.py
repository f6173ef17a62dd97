"""The node image: a base of Debian packages, kept as a file, and the rack's own files above it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from sparkrack import commands, debian
from sparkrack.content import digest, tree_parts
from sparkrack.host import ask, must
from sparkrack.paths import PACKAGE, cache_folder, package_list

IMAGE = "sparkform-rack-node"
BASE_IMAGE = "sparkform-rack-base"
INIT = "/usr/local/lib/rack/init"
NEEDED_DISK_GIB = 6  # twice a base tar of 0.5 GiB, two images, room for nodes
OVERLAYS = (PACKAGE / "image" / "rootfs", PACKAGE / "shims" / "rootfs")
PACKAGES = PACKAGE / "image" / "packages.txt"
SETUP = PACKAGE / "image" / "setup.sh"


def base_digest() -> str:
    return debian.packages_digest(package_list(PACKAGES))


def image_name() -> str:
    overlay_parts = [part for folder in OVERLAYS for part in tree_parts(folder)]
    return f"{IMAGE}:{digest([base_digest().encode(), SETUP.read_bytes(), *overlay_parts])}"


def base_name() -> str:
    return f"{BASE_IMAGE}:{base_digest()}"


def base_file() -> Path:
    return cache_folder() / f"rack-base-{base_digest()}.tar"


def has_image(name: str) -> bool:
    return ask([commands.DOCKER, "image", "inspect", name]).code == 0


def make_image() -> None:
    """Lay the rack's files over the base, run setup.sh there and keep the result."""
    builder = f"sparkform-rack-build-{uuid.uuid4().hex[:8]}"
    docker = commands.DOCKER
    shell = ["sh", "-e", "/var/lib/rack-setup.sh"]
    must([docker, "create", f"--name={builder}", "--network=none", base_name(), *shell])
    try:
        for folder in OVERLAYS:
            if folder.is_dir():
                must([docker, "cp", f"{folder}/.", f"{builder}:/"])
        must([docker, "cp", str(SETUP), f"{builder}:/var/lib/rack-setup.sh"])
        must([docker, "start", "--attach", builder])
        entry = f'ENTRYPOINT ["{INIT}"]'
        must([docker, "commit", f"--change={entry}", "--change=CMD []", builder, image_name()])
    finally:
        ask([docker, "rm", "--force", "--volumes", builder])


def ensure_image(say: Callable[[str], None]) -> str:
    """The image for this content, built only where it is not there yet. dockerd must run."""
    if has_image(image_name()):
        return image_name()
    if not has_image(base_name()):
        if not base_file().exists():
            debian.make_tar(base_file(), package_list(PACKAGES), NEEDED_DISK_GIB, say)
        must([commands.DOCKER, "import", str(base_file()), base_name()])
    say("laying the rack's files over the base image")
    make_image()
    return image_name()
