"""What the plugin can do with a thing of one kind: the four calls that reach a daemon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pulumi_offline.plugins.docker.daemon import Daemon

Plain = dict[str, Any]


class HalfMade(Exception):
    """A create that made the thing and then failed: it belongs into the state all the same."""

    def __init__(self, made_id: str, reason: str) -> None:
        super().__init__(reason)
        self.made_id = made_id


@dataclass(frozen=True)
class Change:
    """An update: the state before, and what is desired."""

    before: Plain
    desired: Plain


class Kind(Protocol):
    """All raise DaemonError with the sentence that a user is shown."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        """Makes the thing and returns its id. Raises HalfMade and Unusable too."""

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        """The state, `id` included; None where the thing is gone."""

    def update(self, daemon: Daemon, thing_id: str, change: Change) -> Plain:
        """Changes the thing in place and returns its state."""

    def delete(self, daemon: Daemon, thing_id: str, before: Plain) -> None:
        """Takes the thing away."""
