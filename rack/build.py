"""The node image: a base of Debian packages, kept as a file, and the rack's own files above it."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from rack import commands
from rack.host import RackError, ask, must
from rack.paths import PACKAGE, cache_folder, package_list

SUITE = "bookworm"
RECIPE = "1"  # raise it when the commands below change what comes out
IMAGE = "sparkform-rack-node"
BASE_IMAGE = "sparkform-rack-base"
INIT = "/usr/local/lib/rack/init"
NEEDED_DISK_GIB = 6  # twice a base tar of 0.5 GiB, two images, room for nodes
BUILD_TIMEOUT_S = 1800.0
OVERLAYS = (PACKAGE / "image" / "rootfs", PACKAGE / "shims" / "rootfs")
PACKAGES = PACKAGE / "image" / "packages.txt"
SETUP = PACKAGE / "image" / "setup.sh"
DROPPED_PATHS = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")


def digest(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8) + part)
    return total.hexdigest()[:16]


def tree_parts(folder: Path) -> list[bytes]:
    """Name, mode and bytes of each file below a folder: everything that an image takes from it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return [
        f"{path.relative_to(folder)} {path.lstat().st_mode:o} ".encode()
        + (os.readlink(path).encode() if path.is_symlink() else path.read_bytes())
        for path in files
        if "__pycache__" not in path.parts
    ]


def base_digest() -> str:
    return digest([RECIPE.encode(), SUITE.encode(), *(p.encode() for p in package_list(PACKAGES))])


def image_name() -> str:
    overlay_parts = [part for folder in OVERLAYS for part in tree_parts(folder)]
    return f"{IMAGE}:{digest([base_digest().encode(), SETUP.read_bytes(), *overlay_parts])}"


def base_name() -> str:
    return f"{BASE_IMAGE}:{base_digest()}"


def base_file() -> Path:
    return cache_folder() / f"rack-base-{base_digest()}.tar"


def apt_sources(targets: str) -> str:
    """The lines of `apt-get indextargets` that serve the suite. Raises RackError for none."""
    found = [line for line in targets.splitlines() if line.split()[2].split("-")[0] == SUITE]
    if not found:
        raise RackError(
            f"the machine's apt sources serve no Debian {SUITE}, of which the nodes are made; "
            "add one and run `apt-get update`"
        )
    return "\n".join(dict.fromkeys(found)) + "\n"


def bootstrap_command(target: Path) -> list[str]:
    """mmdebstrap with apt's own solver; the sources come on standard input."""
    dropped = [f"--dpkgopt=path-exclude={path}" for path in DROPPED_PATHS]
    return [
        *("mmdebstrap", "--mode=root", "--variant=apt", *dropped),
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={','.join(package_list(PACKAGES))}",
        *(SUITE, str(target), "-"),
    ]


def has_image(name: str) -> bool:
    return ask([commands.DOCKER, "image", "inspect", name]).code == 0


def make_base_file(say: Callable[[str], None]) -> None:
    """Build under another name and rename: a broken build never looks like a cached one."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    free_gib = shutil.disk_usage(cache_folder()).free / 2**30
    if free_gib < NEEDED_DISK_GIB:
        raise RackError(
            f"{cache_folder()} has {free_gib:.1f} GiB free and the node image needs "
            f"{NEEDED_DISK_GIB} GiB; free some, or point XDG_CACHE_HOME elsewhere"
        )
    say(f"building the base image of Debian {SUITE} (about a minute, kept in {base_file()})")
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    targets = must(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    partial = base_file().with_suffix(f".{os.getpid()}.tar")
    try:
        must(bootstrap_command(partial), stdin=apt_sources(targets), timeout_s=BUILD_TIMEOUT_S)
        partial.rename(base_file())
    finally:
        partial.unlink(missing_ok=True)


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
            make_base_file(say)
        must([commands.DOCKER, "import", str(base_file()), base_name()])
    say("laying the rack's files over the base image")
    make_image()
    return image_name()
