"""On the head: every rank of a service has been started for one run. It has no state of its own.

want: {"service", "token", "ranks": [number]}. It comes after the last rank, so its receipt says
that whoever started them got to the end: a run that was killed in between has left none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.journal import Journal
from node.system import System

Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    return {}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return dict(want)


def differences(have: Json, want: Json) -> list[str]:
    return []


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    ranks = ", ".join(map(str, want["ranks"]))
    return [f"service {want['service']}: started (rank {ranks})"]
