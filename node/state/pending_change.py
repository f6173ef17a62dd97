"""A network change that waits for its confirmation, and one that was rolled back: their records.

The records stand here and not with the change itself: undo needs them and knows no network change.
"""

from __future__ import annotations

import json
from typing import Any

from node.host.paths import ARMED_NETWORK, ROLLED_BACK_NETWORK
from node.host.system import System

TIMER = "sparkform-rollback"


def read_state(system: System) -> dict[str, Any] | None:
    """What is kept while a change waits for its confirmation; None where none does."""
    text = system.read(ARMED_NETWORK)
    return None if text is None else dict(json.loads(text))


def disarm(system: System) -> None:
    """The change is confirmed as soon as the record is gone; the timer then finds nothing."""
    system.remove(ARMED_NETWORK)
    stop_timer(system)


def read_rollback(system: System) -> str | None:
    """When the node took a change back by itself; None where it did not."""
    text = system.read(ROLLED_BACK_NETWORK)
    return None if text is None else str(json.loads(text)["when"])


def forget_rollback(system: System) -> None:
    system.remove(ROLLED_BACK_NETWORK)


def stop_timer(system: System) -> None:
    system.run(["systemctl", "stop", f"{TIMER}.timer"])
    system.run(["systemctl", "reset-failed", f"{TIMER}.service", f"{TIMER}.timer"])
