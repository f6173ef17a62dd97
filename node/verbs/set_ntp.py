"""`set_ntp`: let this node's time daemon keep its clock, as `sudo timedatectl set-ntp true`."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.daemons import run_checked
from node.host.system import System

COMMAND = ("timedatectl", "set-ntp", "true")


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """One line. Raises StepError."""
    run_checked(system, list(COMMAND))
    return ["clock: kept by the time daemon from now on"]
