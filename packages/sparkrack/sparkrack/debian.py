"""Debian as a tar file, out of the machine's own apt sources: the base of nodes and of engines."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from sparkrack.content import hash_parts
from sparkrack.host import Notify, RackError, must

SUITE = "bookworm"
RECIPE = "1"  # raise it when the commands below change what comes out
BUILD_TIMEOUT_S = 1800.0
DROPPED_PATHS = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")


def hash_packages(packages: Sequence[str]) -> str:
    """Names what `make_tar` makes of these packages."""
    return hash_parts([RECIPE.encode(), SUITE.encode(), *(name.encode() for name in packages)])


def select_apt_sources(targets: str) -> str:
    """The lines of `apt-get indextargets` that serve the suite. Raises RackError for none."""
    source_lines = [line for line in targets.splitlines() if line.split()[2].split("-")[0] == SUITE]
    if not source_lines:
        raise RackError(
            f"no apt source for Debian {SUITE}, which the nodes are made of; "
            "add one and run `apt-get update`"
        )
    return "\n".join(dict.fromkeys(source_lines)) + "\n"


def build_bootstrap_command(target: Path, packages: Sequence[str]) -> list[str]:
    """mmdebstrap with apt's own solver; the sources come on standard input."""
    dropped = [f"--dpkgopt=path-exclude={path}" for path in DROPPED_PATHS]
    return [
        *("mmdebstrap", "--mode=root", "--variant=apt", *dropped),
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={','.join(packages)}",
        *(SUITE, str(target), "-"),
    ]


def make_tar(target: Path, packages: Sequence[str], needed_gib: float, notify: Notify) -> None:
    """Build under another name and rename, so that a failed build is never taken for a cached one.

    Raises RackError with the free space where less than `needed_gib` is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    free_gib = shutil.disk_usage(target.parent).free / 2**30
    if free_gib < needed_gib:
        raise RackError(
            f"{target.parent} has {free_gib:.1f} GiB free and the image needs "
            f"{needed_gib:g} GiB; free some space, or set XDG_CACHE_HOME to another disk"
        )
    notify(f"building the base image of Debian {SUITE} (about a minute; cached in {target})")
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    targets = must(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    partial = target.with_suffix(f".{os.getpid()}.tar")
    try:
        command = build_bootstrap_command(partial, packages)
        must(command, stdin=select_apt_sources(targets), timeout_s=BUILD_TIMEOUT_S)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
