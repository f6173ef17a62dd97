"""The node image: a base of Debian packages, kept as a file, and the rack's own files above it."""

from __future__ import annotations

import uuid
from pathlib import Path

from sparkrack import commands, debian
from sparkrack.content import hash_parts, list_tree_parts
from sparkrack.host import Notify, ask, must
from sparkrack.paths import PACKAGE, cache_folder, read_package_list

IMAGE = "sparkform-rack-node"
BASE_IMAGE = "sparkform-rack-base"
INIT = "/usr/local/lib/rack/init"
NEEDED_DISK_GIB = 6  # twice a base tar of 0.5 GiB, two images, room for nodes
OVERLAYS = (PACKAGE / "image" / "rootfs", PACKAGE / "shims" / "rootfs")
PACKAGES = PACKAGE / "image" / "packages.txt"
SETUP = PACKAGE / "image" / "setup.sh"


def compute_base_digest() -> str:
    return debian.hash_packages(read_package_list(PACKAGES))


def get_image_name() -> str:
    overlay_parts = [part for folder in OVERLAYS for part in list_tree_parts(folder)]
    digest = hash_parts([compute_base_digest().encode(), SETUP.read_bytes(), *overlay_parts])
    return f"{IMAGE}:{digest}"


def get_base_name() -> str:
    return f"{BASE_IMAGE}:{compute_base_digest()}"


def get_base_file() -> Path:
    return cache_folder() / f"rack-base-{compute_base_digest()}.tar"


def has_image(name: str) -> bool:
    return ask([commands.DOCKER, "image", "inspect", name]).code == 0


def make_image() -> None:
    """Lay the rack's files over the base, run setup.sh there and keep the result."""
    builder = f"sparkform-rack-build-{uuid.uuid4().hex[:8]}"
    docker = commands.DOCKER
    shell = ["sh", "-e", "/var/lib/rack-setup.sh"]
    must([docker, "create", f"--name={builder}", "--network=none", get_base_name(), *shell])
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
    if not has_image(get_base_name()):
        if not get_base_file().exists():
            debian.make_tar(get_base_file(), read_package_list(PACKAGES), NEEDED_DISK_GIB, notify)
        must([commands.DOCKER, "import", str(get_base_file()), get_base_name()])
    notify("building the node image from the base image")
    make_image()
    return get_image_name()
