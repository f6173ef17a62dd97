"""What a rank is started with: its files, and its secrets in files that are root's alone.

A secret's value comes in the line of secrets, by its name. Files that an older launch had and this
one has not are removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from node.changes import action, file, secret_file
from node.errors import StepError
from node.host.paths import SERVICES, SYSTEMD_UNITS
from node.host.system import System
from node.host.typed_json import OMITTED
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

# As slow as a login may be: what is told of a secret must be of no use for guessing it.
SCRYPT_COST = {"n": 2**14, "r": 8, "p": 1}
SALT_BYTES = 16


@dataclass(frozen=True)
class WantedFile:
    """`mode`: octal text."""

    path: str
    mode: str
    text: str


@dataclass(frozen=True)
class WantedSecret:
    """A file with the stack's secret of that name."""

    secret: str
    path: str
    mode: str


@dataclass(frozen=True)
class Want:
    """What one rank is started with."""

    service: str
    files: tuple[WantedFile, ...]
    secrets: tuple[WantedSecret, ...]


@dataclass(frozen=True)
class ObservedFile:
    """Never its text."""

    mode: str | None = None
    sha256: str = ""


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
class LaunchedFile:
    """A file with its wanted text, or with the digest of another; a secret with its name."""

    path: str
    mode: str | None = None
    text: str | None = field(default=None, metadata=OMITTED)
    sha256: str | None = field(default=None, metadata=OMITTED)
    secret: str | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class Have:
    """What the node has of the service's files, those of an older launch included."""

    service: str
    files: tuple[LaunchedFile, ...]
    secrets: tuple[LaunchedFile, ...]


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
    wanted_files = {wanted.path for wanted in want.files}
    files = [narrow_file(wanted, observed.files.get(wanted.path)) for wanted in want.files]
    files += [
        LaunchedFile(path, state.mode, sha256=state.sha256)
        for path, state in observed.files.items()
        if path not in wanted_files
    ]
    wanted_secrets = {wanted.path for wanted in want.secrets}
    secrets = [
        LaunchedFile(
            wanted.path,
            observed.secrets.get(wanted.path, ObservedSecret()).mode,
            secret=wanted.secret,
        )
        for wanted in want.secrets
    ]
    secrets += [LaunchedFile(path) for path in observed.secrets if path not in wanted_secrets]
    return Have(want.service, tuple(files), tuple(secrets))


def narrow_file(wanted: WantedFile, observed: ObservedFile | None) -> LaunchedFile:
    if observed is None:
        return LaunchedFile(wanted.path)
    if observed == ObservedFile(wanted.mode, _compute_sha256(wanted.text)):
        return LaunchedFile(wanted.path, wanted.mode, wanted.text)
    return LaunchedFile(wanted.path, observed.mode, sha256=observed.sha256)


def compare(have: Have, want: Want) -> list[str]:
    wanted = _list_wanted(want)
    messages = []
    for state in [*have.files, *have.secrets]:
        if state.path not in wanted:
            messages.append(f"{state.path} is of an older launch, will be removed")
        elif state != wanted[state.path]:
            problem = "missing" if state.mode is None else "changed"
            messages.append(f"{state.path} is {problem}, will be written")
    return messages


def _list_wanted(want: Want) -> dict[str, LaunchedFile]:
    """By path: what there is where all is as wanted."""
    states = [LaunchedFile(wanted.path, wanted.mode, wanted.text) for wanted in want.files]
    states += [
        LaunchedFile(wanted.path, wanted.mode, secret=wanted.secret) for wanted in want.secrets
    ]
    return {state.path: state for state in states}


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system = manifest.system
    have = narrow(observe(system, StepRequest(service=want.service)), want)
    wanted = _list_wanted(want)
    messages = []
    for wanted_file in want.files:
        if wanted[wanted_file.path] not in have.files:
            write_file(manifest, wanted_file)
            messages.append(f"{wanted_file.path}: written")
    for wanted_secret in want.secrets:
        messages += write_secret(manifest, wanted_secret, secrets)
    for state in [*have.files, *have.secrets]:
        if state.path not in wanted:
            system.remove(state.path)
            messages.append(f"{state.path}: removed")
    return messages + action.perform_due(manifest, action.RELOAD_SYSTEMD)


def write_file(manifest: Manifest, wanted: WantedFile) -> None:
    if wanted.path.startswith(SYSTEMD_UNITS):
        action.mark_due(manifest, action.RELOAD_SYSTEMD)
    mode = int(wanted.mode, 8)
    file.write(manifest, file.FileChange(wanted.path, wanted.text, mode))
    # A file that was there kept its mode.
    manifest.system.set_owner(wanted.path, mode, 0, 0)


def write_secret(manifest: Manifest, wanted: WantedSecret, secrets: Secrets) -> list[str]:
    value, system = secrets.get(wanted.secret), manifest.system
    if not value:
        raise StepError(f"The stack's {wanted.secret} did not arrive; set it and run `pulumi up`.")
    if system.read(wanted.path) == value and read_mode(system, wanted.path) == wanted.mode:
        return []
    secret_file.write(manifest, wanted.path, value, int(wanted.mode, 8))
    return [f"{wanted.path}: written"]


def _list_files(system: System, folder: str) -> list[str]:
    paths = [f"{folder}/{name}" for name in system.list_names(folder)]
    states = [(path, system.get_state(path)) for path in paths]
    return [path for path, state in states if state is not None and not state.is_directory]


def observe_file(system: System, path: str) -> ObservedFile:
    return ObservedFile(read_mode(system, path), _compute_sha256(system.read(path) or ""))


def _observe_secret(system: System, path: str) -> ObservedSecret:
    salt = os.urandom(SALT_BYTES)
    proof = compute_proof(system.read(path) or "", salt)
    return ObservedSecret(read_mode(system, path), salt.hex(), proof)


def compute_proof(value: str, salt: bytes) -> str:
    """By which the control side tells whether a node has its secret. Pure."""
    encoded = value.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(encoded, salt=salt, **SCRYPT_COST).hex()


def read_mode(system: System, path: str) -> str | None:
    state = system.get_state(path)
    return f"{state.mode:04o}" if state else None


def _compute_sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


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
