"""On rank 0's node: a key of the supervisors of one run, printed for the other nodes' stdin only.

Each run has its own, so that a supervisor that an older run has left talks to nobody. It lies
outside the folders that containers see.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace

from node.changes import secret_file
from node.host.paths import SUPERVISION_KEYS
from node.host.plain import as_mapping
from node.host.system import System
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

SECRET = "supervision_key"
KEY_BYTES = 32


@dataclass(frozen=True)
class Want:
    """`token`: of the run whose key it is, empty where there is none; never the key."""

    service: str
    token: str


@dataclass(frozen=True)
class Observed:
    """Of the service that asks."""

    token: str = ""


def observe(system: System, request: StepRequest) -> Observed:
    stored = _read_stored(system, request.service) if request.service else {}
    return Observed(stored.get("token", "") if stored.get(SECRET) else "")


def narrow(observed: Observed, want: Want) -> Want:
    return replace(want, token=observed.token)


def compare(have: Want, want: Want) -> list[str]:
    if have.token == want.token:
        return []
    return ["the supervisors' key of this run is missing, will be created"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """One line of JSON and no other: {"supervision_key"}. Its resource's output is secret."""
    system = manifest.system
    if observe(system, StepRequest(service=want.service)).token != want.token:
        stored = {"token": want.token, SECRET: os.urandom(KEY_BYTES).hex()}
        secret_file.write(manifest, _get_path(want.service), json.dumps(stored), 0o600)
    return [json.dumps({SECRET: _read_stored(system, want.service)[SECRET]})]


def _read_stored(system: System, service: str) -> dict[str, str]:
    """Nothing where there is none, or a damaged one."""
    try:
        stored = as_mapping(json.loads(system.read(_get_path(service)) or "{}"))
    except ValueError:
        return {}
    return {name: value for name, value in stored.items() if isinstance(value, str)}


def _get_path(service: str) -> str:
    return f"{SUPERVISION_KEYS}/{service}"


SPEC = StepSpec(
    name="supervision_key",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    prints_answer=True,
    prints_secret=True,
)
