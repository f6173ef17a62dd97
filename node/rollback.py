"""The verb `rollback`: what the timer and the boot unit call when a change was not confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node import arming, journal, lock
from node.errors import Refusal
from node.kinds import link
from node.system import System

STEP = "fabric_address"
BOOT = "--boot"


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """`rollback` on a running network; `rollback --boot` before the network comes up."""
    if list(arguments) not in ([], [BOOT]):
        raise Refusal(f"`rollback` takes nothing, or {BOOT}.")
    with lock.held(system, "rollback of an unconfirmed network change"):
        return arming.roll_back(system, list(arguments) == [BOOT], ours(system))


def ours(system: System) -> Mapping[str, Mapping[str, Any]]:
    """By link, what the manifest says that this program set on it."""
    entries = [one for one in journal.read(system) if (one.step, one.kind) == (STEP, link.KIND)]
    names = dict.fromkeys(one.subject for one in entries)
    return {name: link.ours([one for one in entries if one.subject == name]) for name in names}
