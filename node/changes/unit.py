"""A transient systemd unit that a step started and that ends by itself; undo ends it at once."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.daemons import must
from node.host.system import System
from node.state.manifest import Entry, Journal

KIND = "unit"
STOP_LIMIT_S = 30.0


def remember(journal: Journal, name: str) -> None:
    if not journal.of(KIND, name):
        journal.record(KIND, name)


def is_active(system: System, name: str) -> bool:
    return system.run(["systemctl", "is-active", "--quiet", name]).code == 0


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    name = entries[0].subject
    if not is_active(journal.system, name):
        return []
    must(journal.system, ["systemctl", "stop", name], timeout_s=STOP_LIMIT_S)
    return [f"{name}: stopped"]
