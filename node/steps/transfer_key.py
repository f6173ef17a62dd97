"""A key by which nodes know each other that fetch from this one; printed for their stdin only.

It stays the same as long as the stack has the node, so nothing else changes with it. The file is
root's own; the key itself travels no network but SSH.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from node.changes import directory, tree
from node.host.paths import TRANSFER_KEY, TRANSFERS
from node.host.system import System
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

PRESENT, MISSING = "made", "missing"
KEY_BYTES = 32


@dataclass(frozen=True)
class Want:
    """`key`: whether there is one; never the key."""

    key: str = MISSING


def build_want() -> Want:
    return Want(PRESENT)


def observe(system: System, request: StepRequest) -> Want:
    return Want(PRESENT if system.get_state(TRANSFER_KEY) else MISSING)


def narrow(observed: Want, want: Want) -> Want:
    return observed


def compare(have: Want, want: Want) -> list[str]:
    if have == want:
        return []
    return ["the key for transfers between nodes is missing, will be created"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """One line of JSON and no other: {"transfer_key"}. Its resource's output is secret."""
    system = manifest.system
    if system.get_state(TRANSFER_KEY) is None:
        directory.make_parents(manifest, TRANSFERS)
        tree.record(manifest, TRANSFERS)
        system.make_directory(TRANSFERS, 0o700)
        system.write(TRANSFER_KEY, os.urandom(KEY_BYTES).hex(), 0o600)
    return [json.dumps({"transfer_key": system.read(TRANSFER_KEY)})]


SPEC = StepSpec(
    name="transfer_key",
    want=Want,
    observed=Want,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    prints_answer=True,
)
