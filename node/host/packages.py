"""Packages of the distribution, by dpkg and apt-mark."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.system import COMMAND_NOT_FOUND, System

FORMAT = r"${binary:Package}\t${Version}\t${db:Status-Want}\t${db:Status-Status}\n"
LOCK_LIMIT_S = 120.0
"""Unattended upgrades hold dpkg's lock for a while."""

LOCK_PAUSE_S = 5.0
MARK_LIMIT_S = 60.0

GROUPS: dict[str, re.Pattern[str]] = {
    # Ubuntu's driver packages (nvidia-graphics-drivers-580, linux-restricted-modules) and the CUDA
    # repository's; the container toolkit is Docker's.
    "driver": re.compile(
        r"(nvidia-(driver|dkms|kernel|firmware|utils|compute-utils|headless|persistenced|modprobe"
        r"|settings|fabricmanager|imex)|libnvidia-(?!container)[a-z0-9]+|cuda-drivers"
        r"|xserver-xorg-video-nvidia|linux-(modules|objects|signatures)-nvidia)(-.*)?"
    ),
    "kernel": re.compile(
        r"linux-(image|modules|headers|tools|cloud-tools|buildinfo|nvidia|generic|virtual|oem"
        r"|lowlatency)(-.*)?"
    ),
    "docker": re.compile(
        r"(docker-ce|docker-ce-cli|docker-ce-rootless-extras|docker-buildx-plugin"
        r"|docker-compose-plugin|docker\.io|docker-buildx|docker-compose-v2|containerd|containerd\.io"
        r"|runc|nvidia-container-toolkit|nvidia-container-toolkit-base|libnvidia-container1"
        r"|libnvidia-container-tools)"
    ),
}
"""Names of packages by what `host.hold` calls them; the first that fits counts."""


@dataclass(frozen=True)
class Package:
    """One that is installed."""

    name: str
    version: str
    is_held: bool

    @property
    def group(self) -> str | None:
        return find_group(self.name)


def find_group(name: str) -> str | None:
    """
    >>> find_group("linux-modules-nvidia-580-open-generic"), find_group("libnvidia-container1")
    ('driver', 'docker')
    >>> find_group("linux-libc-dev")
    """
    bare = name.partition(":")[0]
    return next((group for group, names in GROUPS.items() if names.fullmatch(bare)), None)


UNCONFIGURED = ("half-installed", "unpacked", "half-configured", "triggers-pending")
"""States in which dpkg leaves a package when it is killed (dpkg(1))."""


def list_installed(system: System) -> list[Package]:
    """Raises StepError where dpkg does not answer."""
    return list(parse_packages(read_listing(system)))


def read_listing(system: System) -> str:
    """Raises StepError where dpkg does not answer."""
    result = system.run(["dpkg-query", "--show", f"--showformat={FORMAT}"], timeout_s=30)
    if result.code == COMMAND_NOT_FOUND:
        raise StepError("this system has no dpkg, so that no package can be held")
    if result.code:
        raise StepError(f"dpkg-query: {get_last_line(result)}")
    return result.out


def parse_packages(text: str) -> Iterator[Package]:
    """Pure. One that was removed is listed as long as its configuration is there."""
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) == 4 and cells[3] == "installed":
            yield Package(cells[0], cells[1], cells[2] == "hold")


def parse_unconfigured(text: str) -> tuple[str, ...]:
    """Pure. The packages that dpkg was killed in the middle of."""
    rows = [line.split("\t") for line in text.splitlines()]
    return tuple(cells[0] for cells in rows if len(cells) == 4 and cells[3] in UNCONFIGURED)


def mark(system: System, verb: str, names: Sequence[str]) -> None:
    """`apt-mark hold` or `unhold`, once nobody else has dpkg's lock. Raises StepError."""
    deadline = time.monotonic() + LOCK_LIMIT_S
    while True:
        result = system.run(["apt-mark", verb, *names], timeout_s=MARK_LIMIT_S)
        if not result.code:
            return
        if "lock" not in f"{result.out}{result.err}" or time.monotonic() >= deadline:
            raise StepError(f"`apt-mark {verb}` failed: {get_last_line(result)}")
        time.sleep(LOCK_PAUSE_S)
