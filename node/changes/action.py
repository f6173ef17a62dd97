"""What must follow a changed file (dockerd restarted, netplan applied), owed until it was done.

An action is recorded as due before the first file changes and as done after it ran, in `apply` and
in `undo` alike: a run killed in between leaves it due, and the next one makes up for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from node.host import daemons
from node.host.system import System
from node.state.manifest import Entry, Journal

KIND = "action"

RESTART_DOCKER, APPLY_NETPLAN, RELOAD_SYSTEMD = "restart docker", "apply netplan", "reload systemd"
PERFORM: Mapping[str, Callable[[System], str]] = {
    RESTART_DOCKER: daemons.restart_docker,
    APPLY_NETPLAN: daemons.apply_netplan,
    RELOAD_SYSTEMD: daemons.reload_systemd,
}


def mark(journal: Journal, name: str) -> None:
    """Owe the action from now on."""
    if not is_due(journal.of(KIND, name)):
        journal.record(KIND, name, due=True)


def mark_all(journal: Journal) -> None:
    """Owe again every action that this step's files have ever called for."""
    for name in dict.fromkeys(entry.subject for entry in journal.all(KIND)):
        mark(journal, name)


def settle(journal: Journal, name: str) -> list[str]:
    """Do what is owed, if anything. Raises Refusal where it fails: then it stays due."""
    if not is_due(journal.of(KIND, name)):
        return []
    done = PERFORM[name](journal.system)
    journal.record(KIND, name, due=False)
    return [done]


def is_due(entries: Sequence[Entry]) -> bool:
    return bool(entries) and bool(entries[-1].facts["due"])


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    return settle(journal, entries[0].subject)
