"""A key by which nodes know each other that fetch from this one; printed for their stdin only.

want: {"key": "made"}. It stays the same as long as the stack has the node, so nothing else changes
with it. The file is root's own; the key itself travels no network but SSH.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from node.changes import directory, tree
from node.host.paths import SPREAD, SPREAD_KEY
from node.host.system import System
from node.state.manifest import Journal

Json = Mapping[str, Any]
MADE, MISSING = "made", "missing"
BYTES = 32


def wanted() -> dict[str, Any]:
    return {"key": MADE}


def observe(system: System, request: Json) -> dict[str, Any]:
    """Whether there is one; never the key."""
    return {"key": MADE if system.state(SPREAD_KEY) else MISSING}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return {"key": seen.get("key", MISSING)}


def differences(have: Json, want: Json) -> list[str]:
    if have == want:
        return []
    return ["no key for what nodes fetch from each other, will be made"]


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    """One line of JSON and no other: {"spread_key"}. Its resource's output is secret."""
    system = journal.system
    if system.state(SPREAD_KEY) is None:
        directory.make_parents(journal, SPREAD)
        tree.remember(journal, SPREAD)
        system.make_directory(SPREAD, 0o700)
        system.write(SPREAD_KEY, os.urandom(BYTES).hex(), 0o600)
    return [json.dumps({"spread_key": system.read(SPREAD_KEY)})]
