"""The verb `rollback`: what the timer and the boot unit call when a change was not confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import StepError
from node.host.system import System
from node.network import arming
from node.state import lock

BOOT_FLAG = "--boot"


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """`rollback` on a running network; `rollback --boot` before the network comes up."""
    if list(arguments) not in ([], [BOOT_FLAG]):
        raise StepError(f"`rollback` takes nothing, or {BOOT_FLAG}.")
    with lock.hold(system, "rollback of an unconfirmed network change"):
        return arming.roll_back(
            system, list(arguments) == [BOOT_FLAG], arming.list_our_link_settings(system)
        )
