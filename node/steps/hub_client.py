"""Where models are downloaded: the real Hugging Face client, from pinned wheels with hashes.

want: {"lock": sha256 of node.huggingface.lock.LOCK}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import process
from node.host.system import System
from node.huggingface import client
from node.huggingface.lock import CLIENT
from node.state.manifest import Journal

Json = Mapping[str, Any]


def wanted() -> dict[str, Any]:
    return {"lock": client.wanted()}


def observe(system: System, request: Json) -> dict[str, Any]:
    return {"lock": client.installed(system)}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return {"lock": seen.get("lock")}


def differences(have: Json, want: Json) -> list[str]:
    if have.get("lock") == want["lock"]:
        return []
    found = "is of another version" if have.get("lock") else "is missing"
    return [f"the model hub's client {found}, {CLIENT} will be installed in {client.FOLDER}"]


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    if observe(journal.system, want) == want:
        return []
    process.remember(journal)
    client.install(journal)
    return [f"{CLIENT} installed in {client.FOLDER}"]
