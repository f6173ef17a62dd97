"""Where models are downloaded: the real Hugging Face client, from pinned wheels with hashes."""

from __future__ import annotations

from dataclasses import dataclass

from node.changes import process
from node.host.system import System
from node.huggingface import client
from node.huggingface.lock import CLIENT
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec


@dataclass(frozen=True)
class Want:
    """`lock`: sha256 of node.huggingface.lock.LOCK; null where no client is installed."""

    lock: str | None = None


def build_want() -> Want:
    return Want(client.get_lock_digest())


def observe(system: System, request: StepRequest) -> Want:
    return Want(client.read_installed_digest(system))


def narrow(observed: Want, want: Want) -> Want:
    return observed


def compare(have: Want, want: Want) -> list[str]:
    if have == want:
        return []
    state = "is of another version" if have.lock else "is missing"
    return [f"the Hugging Face client {state}, {CLIENT} will be installed in {client.FOLDER}"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    if client.read_installed_digest(manifest.system) == want.lock:
        return []
    process.record(manifest)
    client.install(manifest)
    return [f"{CLIENT} installed in {client.FOLDER}"]


SPEC = StepSpec(
    name="hub_client",
    want=Want,
    observed=Want,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    holds_lock=False,
)
