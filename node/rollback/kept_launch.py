"""What is kept of a launch: one file a service, root's alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from node.host.paths import KEPT_LAUNCHES
from node.host.system import System
from node.host.typed_json import ShapeError, parse, to_json
from node.ranks.rank import Kind

FOLDER_MODE, FILE_MODE = 0o700, 0o600
STARTED = "stop_previous"
"""The step whose receipt names the run that has a service now, and sums up its launch."""


@dataclass(frozen=True)
class KeptFile:
    """A file of the launch as it was; one that it had not has no text."""

    path: str
    mode: int = 0
    text: str | None = None


@dataclass(frozen=True)
class KeptRank:
    """What this node's rank is made from again. `body`: of its container, as Docker creates one;
    `labels`: of its unit."""

    kind: Kind
    name: str
    body: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptLaunch:
    """The launch of `token`, which served. `files`: those that a newer launch has changed since.
    `rank`: None until it is ended. `launch` sums it up for the control side.

    `failure`: why the newer launch failed, once this one was started again.
    """

    service: str
    token: str
    files: tuple[KeptFile, ...] = ()
    rank: KeptRank | None = None
    launch: Mapping[str, object] = field(default_factory=dict)
    failure: str | None = None

    @property
    def digest(self) -> str:
        return get_digest(self.token)


def get_digest(token: str) -> str:
    """What a token says of the launch.

    >>> get_digest("4be1-7")
    '4be1'
    """
    return token.rpartition("-")[0]


def read_kept(system: System, service: str) -> KeptLaunch | None:
    """None where there is none, or a damaged one."""
    try:
        return parse(KeptLaunch, json.loads(system.read(_get_path(service)) or ""), "kept")
    except (ShapeError, ValueError):
        return None


def write_kept(system: System, launch: KeptLaunch) -> None:
    """On the disk when this returns. Raises OSError."""
    if system.get_state(KEPT_LAUNCHES) is None:
        system.make_directory(KEPT_LAUNCHES, FOLDER_MODE)
    system.write(_get_path(launch.service), json.dumps(to_json(launch)) + "\n", FILE_MODE)


def drop_kept(system: System, service: str) -> None:
    """Once it is not needed any more."""
    if system.get_state(_get_path(service)) is not None:
        system.remove(_get_path(service))
    system.remove_directory(KEPT_LAUNCHES)


def _get_path(service: str) -> str:
    return f"{KEPT_LAUNCHES}/{service}.json"
