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
from node.host.paths import TRANSFER_KEY, TRANSFERS
from node.host.system import System
from node.state.manifest import Manifest

Json = Mapping[str, Any]
PRESENT, MISSING = "made", "missing"
KEY_BYTES = 32


def build_want() -> dict[str, Any]:
    return {"key": PRESENT}


def observe(system: System, request: Json) -> dict[str, Any]:
    """Whether there is one; never the key."""
    return {"key": PRESENT if system.get_state(TRANSFER_KEY) else MISSING}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return {"key": observed.get("key", MISSING)}


def compare(have: Json, want: Json) -> list[str]:
    if have == want:
        return []
    return ["no key for what nodes fetch from each other, will be made"]


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    """One line of JSON and no other: {"transfer_key"}. Its resource's output is secret."""
    system = manifest.system
    if system.get_state(TRANSFER_KEY) is None:
        directory.make_parents(manifest, TRANSFERS)
        tree.record(manifest, TRANSFERS)
        system.make_directory(TRANSFERS, 0o700)
        system.write(TRANSFER_KEY, os.urandom(KEY_BYTES).hex(), 0o600)
    return [json.dumps({"transfer_key": system.read(TRANSFER_KEY)})]
