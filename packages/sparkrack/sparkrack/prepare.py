"""`python -m sparkrack prepare`: installs what the machine under the rack needs."""

from __future__ import annotations

import os
import shutil

from sparkform.errors import InputError, Problem
from sparkrack import build, daemon
from sparkrack.host import Notify, RackError, must
from sparkrack.lifecycle import tidy_runtime_folder
from sparkrack.paths import PACKAGE, read_package_list

HOST_PACKAGES = PACKAGE / "host-packages.txt"
INSTALL_TIMEOUT_S = 900.0


def find_missing_packages() -> list[str]:
    """The packages of the programs that are not on PATH."""
    pairs = [line.split() for line in read_package_list(HOST_PACKAGES)]
    return sorted({package for program, package in pairs if shutil.which(program) is None})


def check_packages() -> None:
    """Raises InputError with the packages that `up` cannot do without."""
    if missing := find_missing_packages():
        raise InputError(
            [
                Problem(
                    path="rack",
                    message=f"needs the Debian packages {', '.join(missing)}",
                    remedy="run `python -m sparkrack prepare`",
                )
            ]
        )


def install_packages(notify: Notify) -> None:
    missing = find_missing_packages()
    if not missing:
        return
    notify(f"installing {', '.join(missing)}")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    must([*quiet, "update"], timeout_s=INSTALL_TIMEOUT_S)
    install = ["install", "--no-install-recommends", *missing]
    must([*quiet, *install], timeout_s=INSTALL_TIMEOUT_S)


def prepare(notify: Notify) -> None:
    if os.uname().sysname != "Linux":
        raise RackError("the rack runs on Linux only")
    with daemon.lock():
        install_packages(notify)
        daemon.ensure()
        try:
            notify(f"node image: {build.ensure_image(notify)}")
        finally:
            daemon.release()
            tidy_runtime_folder()
