"""The verb `rollback`: what the timer and the boot unit call when a change was not confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import Refusal
from node.host.system import System
from node.network import arming
from node.state import lock

BOOT = "--boot"


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """`rollback` on a running network; `rollback --boot` before the network comes up."""
    if list(arguments) not in ([], [BOOT]):
        raise Refusal(f"`rollback` takes nothing, or {BOOT}.")
    with lock.held(system, "rollback of an unconfirmed network change"):
        return arming.roll_back(system, list(arguments) == [BOOT], arming.links_set_by_us(system))
