"""What apt would update, by its own simulation; held packages and removals are left to people.

`upgrade --with-new-pkgs` installs what a newer kernel needs and removes no package (apt-get(8)).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.packages import parse_packages, parse_unconfigured, read_listing
from node.host.system import COMMAND_NOT_FOUND, System

UPGRADE = ("--with-new-pkgs", "upgrade")
SIMULATE = ("apt-get", "--simulate", "--option=Debug::NoLocking=true", *UPGRADE)
SIMULATION_LIMIT_S = 60.0
LISTS = "/var/lib/apt/lists"
LOCK = "--option=DPkg::Lock::Timeout=600"
LOCK_PHRASES = ("locked by another process", "Could not get lock")


def wait_for_lock(command: str) -> str:
    """The command, tried again for ten minutes while somebody else has dpkg's or apt's lock: only
    apt-get's own changes wait by themselves. No ${…}: systemd would put a variable of its own in.
    """
    patterns = "|".join(f'*"{phrase}"*' for phrase in LOCK_PHRASES)
    return (
        f"n=0; until o=$({command} 2>&1); do "
        f'case "$o" in {patterns}) ;; *) echo "$o"; exit 1;; esac; '
        'n=$((n + 1)); [ $n -lt 120 ] || { echo "$o"; exit 1; }; sleep 5; done; echo "$o"'
    )


RENEW_LISTS = wait_for_lock(f"apt-get {LOCK} update")
RUN = (
    f"{wait_for_lock('dpkg --configure --pending')}; "
    f"apt-get {LOCK} --yes --option=Dpkg::Options::=--force-confdef "
    "--option=Dpkg::Options::=--force-confold --with-new-pkgs upgrade"
)
"""Settings that an administrator changed stay as they are (dpkg(1), --force-confold)."""

_INSTALL = re.compile(r"^Inst (\S+) (?:\[([^\]]*)\] )?\((\S+)")
_KEPT = "The following packages have been kept back:"


@dataclass(frozen=True)
class PackageUpdate:
    """`installed`: empty for a package that is new."""

    name: str
    installed: str
    candidate: str


@dataclass(frozen=True)
class AptUpdates:
    """`kept`: left as they are by apt, because they are held or something would be removed for
    them; `held`: those of them that are held. `lists_age_s`: since apt last asked its sources.
    `unconfigured`: those that dpkg was killed in the middle of."""

    packages: tuple[PackageUpdate, ...]
    kept: tuple[str, ...]
    held: tuple[str, ...]
    lists_age_s: float | None
    unconfigured: tuple[str, ...] = ()


def read_updates(system: System) -> AptUpdates:
    """By the lists that are there: nothing is fetched. Raises StepError."""
    result = system.run(list(SIMULATE), timeout_s=SIMULATION_LIMIT_S)
    if result.code == COMMAND_NOT_FOUND:
        raise StepError("this system has no apt-get")
    if result.code:
        raise StepError(f"apt-get: {get_last_line(result)}")
    kept = parse_kept(result.out)
    listing = read_listing(system)
    held_names = {package.name for package in parse_packages(listing) if package.is_held}
    return AptUpdates(
        tuple(parse_simulation(result.out)),
        kept,
        tuple(name for name in kept if name in held_names),
        _read_lists_age_s(system),
        parse_unconfigured(listing),
    )


def parse_simulation(text: str) -> Iterator[PackageUpdate]:
    """Pure. `Inst NAME [OLD] (NEW SOURCE [ARCHITECTURE])`."""
    for line in text.splitlines():
        match = _INSTALL.match(line)
        if match:
            yield PackageUpdate(match[1], match[2] or "", match[3])


def parse_kept(text: str) -> tuple[str, ...]:
    """Pure. The names stand in the indented lines that follow."""
    _, found, rest = text.partition(f"{_KEPT}\n")
    names: list[str] = []
    for line in rest.splitlines() if found else ():
        if not line.startswith(" "):
            break
        names += line.split()
    return tuple(names)


def _read_lists_age_s(system: System) -> float | None:
    try:
        return max(0.0, time.time() - system.path(LISTS).stat().st_mtime)
    except OSError:
        return None
