"""`rack prepare`: what the machine under the rack must have first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from sparkform.errors import InputError, Problem
from sparkrack import build, daemon
from sparkrack.host import RackError, must
from sparkrack.lifecycle import tidy_runtime_folder
from sparkrack.paths import PACKAGE, package_list

HOST_PACKAGES = PACKAGE / "host-packages.txt"
INSTALL_TIMEOUT_S = 900.0


def missing_packages() -> list[str]:
    """The packages of the programs that are not on PATH, whoever may have installed the others."""
    pairs = [line.split() for line in package_list(HOST_PACKAGES)]
    return sorted({package for program, package in pairs if shutil.which(program) is None})


def check_packages() -> None:
    """Raises InputError with the packages that `up` cannot do without."""
    if missing := missing_packages():
        raise InputError(
            [
                Problem(
                    path="rack",
                    message=f"needs the Debian packages {', '.join(missing)}",
                    remedy="run `python -m sparkrack prepare`",
                )
            ]
        )


def install_packages(say: Callable[[str], None]) -> None:
    missing = missing_packages()
    if not missing:
        return
    say(f"installing {', '.join(missing)}")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    must([*quiet, "update"], timeout_s=INSTALL_TIMEOUT_S)
    install = ["install", "--no-install-recommends", *missing]
    must([*quiet, *install], timeout_s=INSTALL_TIMEOUT_S)


def prepare(say: Callable[[str], None]) -> None:
    if os.uname().sysname != "Linux":
        raise RackError("the rack runs on Linux only; use a Linux machine")
    with daemon.lock():
        install_packages(say)
        daemon.ensure()
        try:
            say(f"node image: {build.ensure_image(say)}")
        finally:
            daemon.release()
            tidy_runtime_folder()
