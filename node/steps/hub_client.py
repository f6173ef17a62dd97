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
from node.state.manifest import Manifest

Json = Mapping[str, Any]


def build_want() -> dict[str, Any]:
    return {"lock": client.get_lock_digest()}


def observe(system: System, request: Json) -> dict[str, Any]:
    return {"lock": client.read_installed_digest(system)}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return {"lock": observed.get("lock")}


def compare(have: Json, want: Json) -> list[str]:
    if have.get("lock") == want["lock"]:
        return []
    state = "is of another version" if have.get("lock") else "is missing"
    return [f"the model hub's client {state}, {CLIENT} will be installed in {client.FOLDER}"]


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    if observe(manifest.system, want) == want:
        return []
    process.record(manifest)
    client.install(manifest)
    return [f"{CLIENT} installed in {client.FOLDER}"]
