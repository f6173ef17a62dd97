"""What a rank is started with: its files, and its secrets in files that are root's alone.

A secret's value comes in the line of secrets, by its name. Files that an older launch had and this
one has not are removed; those of one that serves are kept until this one answers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from node.changes import action, declared_files
from node.changes.declared_files import (
    DeclaredFile,
    ObservedFile,
    WantedFile,
    WantedSecret,
    observe_file,
    read_mode,
)
from node.host.paths import SERVICES, SYSTEMD_UNITS
from node.host.system import System
from node.rollback.keeping import keep_files
from node.rollback.kept_launch import KeptFile
from node.state import receipts
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

# As slow as a login may be: what is told of a secret must be of no use for guessing it.
SCRYPT_COST = {"n": 2**14, "r": 8, "p": 1}
SALT_BYTES = 16


@dataclass(frozen=True)
class Want:
    """What one rank is started with."""

    service: str
    files: tuple[WantedFile, ...]
    secrets: tuple[WantedSecret, ...]


@dataclass(frozen=True)
class ObservedSecret:
    """A salted, slow digest that is another each time."""

    mode: str | None = None
    salt: str = ""
    proof: str = ""


@dataclass(frozen=True)
class Observed:
    """By path."""

    files: Mapping[str, ObservedFile] = field(default_factory=dict)
    secrets: Mapping[str, ObservedSecret] = field(default_factory=dict)


@dataclass(frozen=True)
class Have:
    """What the node has of the service's files, those of an older launch included."""

    service: str
    files: tuple[DeclaredFile, ...]
    secrets: tuple[DeclaredFile, ...]


def observe(system: System, request: StepRequest) -> Observed:
    if not request.service:
        return Observed()
    folder = f"{SERVICES}/{request.service}"
    paths = [*_list_files(system, folder), *_list_files(system, f"{folder}/files")]
    paths.append(f"{SYSTEMD_UNITS}/sparkform-{request.service}.service")
    secrets = _list_files(system, f"{folder}/secrets")
    return Observed(
        {path: observe_file(system, path) for path in paths if system.get_state(path)},
        {path: _observe_secret(system, path) for path in secrets},
    )


def narrow(observed: Observed, want: Want) -> Have:
    """A file that is as wanted has its wanted text; one that is not wanted any more differs."""
    modes = {path: secret.mode for path, secret in observed.secrets.items()}
    return Have(
        want.service,
        declared_files.narrow_files(want.files, observed.files),
        declared_files.narrow_secrets(want.secrets, modes),
    )


def compare(have: Have, want: Want) -> list[str]:
    wanted = declared_files.list_wanted(want.files, want.secrets)
    messages = []
    for state in [*have.files, *have.secrets]:
        if state.path not in wanted:
            messages.append(f"{state.path} is of an older launch, will be removed")
        elif state != wanted[state.path]:
            problem = "missing" if state.mode is None else "changed"
            messages.append(f"{state.path} is {problem}, will be written")
    return messages


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    have = narrow(observe(manifest.system, StepRequest(service=want.service)), want)
    states = (*have.files, *have.secrets)
    keep_files(manifest.system, want.service, _list_replaced(manifest, want, secrets))
    lines = declared_files.write(manifest, want.files, want.secrets, states, secrets)
    return lines + action.perform_due(manifest, action.RELOAD_SYSTEMD)


def _list_replaced(manifest: Manifest, want: Want, secrets: Secrets) -> list[KeptFile]:
    """What the launch before this one had, and this one has otherwise: files as they were declared,
    whatever has become of them since; secrets as the node has them. A file that is only put right
    is the same launch's."""
    before = SPEC.read_want(receipts.read_want(manifest.system, manifest.step))
    declared = {file.path: file for file in (before.files if before else ())}
    wanted = {file.path: file for file in want.files}
    files = [
        KeptFile(path, int(declared[path].mode, 8), declared[path].text)
        if path in declared
        else KeptFile(path)
        for path in {**declared, **wanted}
        if declared.get(path) != wanted.get(path)
    ]
    values = {secret.path: secrets.get(secret.secret) for secret in want.secrets}
    gone = {secret.path: None for secret in (before.secrets if before else ())}
    system, now = manifest.system, {**gone, **values}
    paths = [path for path, value in now.items() if system.read(path) != value]
    return [*files, *(_keep_secret(system, path) for path in paths)]


def _keep_secret(system: System, path: str) -> KeptFile:
    state = system.get_state(path)
    return KeptFile(path, state.mode, system.read(path)) if state else KeptFile(path)


def _list_files(system: System, folder: str) -> list[str]:
    paths = [f"{folder}/{name}" for name in system.list_names(folder)]
    states = [(path, system.get_state(path)) for path in paths]
    return [path for path, state in states if state is not None and not state.is_directory]


def _observe_secret(system: System, path: str) -> ObservedSecret:
    salt = os.urandom(SALT_BYTES)
    proof = compute_proof(system.read(path) or "", salt)
    return ObservedSecret(read_mode(system, path), salt.hex(), proof)


def compute_proof(value: str, salt: bytes) -> str:
    """By which the control side tells whether a node has its secret. Pure."""
    encoded = value.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(encoded, salt=salt, **SCRYPT_COST).hex()


# What an engine was started with it has read: a file that is put right needs no restart.
SPEC = StepSpec(
    name="launch_files",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
)
