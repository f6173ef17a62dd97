"""Files and secrets as a step declares them: what there is of them, and how they are put right.

A secret's value comes beside the document, by its name. What is not declared any more is removed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from node.changes import action, file, secret_file
from node.errors import StepError
from node.host.paths import SYSTEMD_UNITS
from node.host.system import System
from node.host.typed_json import OMITTED
from node.state.manifest import Manifest


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
class ObservedFile:
    """Never its text."""

    mode: str | None = None
    sha256: str | None = ""


@dataclass(frozen=True)
class DeclaredFile:
    """A file with its wanted text, or with the digest of another; a secret with its name."""

    path: str
    mode: str | None = None
    text: str | None = field(default=None, metadata=OMITTED)
    sha256: str | None = field(default=None, metadata=OMITTED)
    secret: str | None = field(default=None, metadata=OMITTED)


def narrow_files(
    wanted_files: Sequence[WantedFile], observed: Mapping[str, ObservedFile]
) -> tuple[DeclaredFile, ...]:
    """A file that is as wanted has its wanted text; those that are not wanted come last."""
    wanted_paths = {wanted.path for wanted in wanted_files}
    files = [_narrow_file(wanted, observed.get(wanted.path)) for wanted in wanted_files]
    files += [
        DeclaredFile(path, state.mode, sha256=state.sha256)
        for path, state in observed.items()
        if path not in wanted_paths
    ]
    return tuple(files)


def narrow_secrets(
    wanted_secrets: Sequence[WantedSecret], modes: Mapping[str, str | None]
) -> tuple[DeclaredFile, ...]:
    """`modes`: by path, of the secrets that are there."""
    wanted_paths = {wanted.path for wanted in wanted_secrets}
    secrets = [
        DeclaredFile(wanted.path, modes.get(wanted.path), secret=wanted.secret)
        for wanted in wanted_secrets
    ]
    return (*secrets, *(DeclaredFile(path) for path in modes if path not in wanted_paths))


def _narrow_file(wanted: WantedFile, observed: ObservedFile | None) -> DeclaredFile:
    if observed is None:
        return DeclaredFile(wanted.path)
    if observed == ObservedFile(wanted.mode, file.compute_digest(wanted.text)):
        return DeclaredFile(wanted.path, wanted.mode, wanted.text)
    return DeclaredFile(wanted.path, observed.mode, sha256=observed.sha256)


def list_wanted(
    files: Sequence[WantedFile], secrets: Sequence[WantedSecret]
) -> dict[str, DeclaredFile]:
    """By path: what there is where all is as wanted."""
    states = [DeclaredFile(wanted.path, wanted.mode, wanted.text) for wanted in files]
    states += [DeclaredFile(wanted.path, wanted.mode, secret=wanted.secret) for wanted in secrets]
    return {state.path: state for state in states}


def write(
    manifest: Manifest,
    files: Sequence[WantedFile],
    wanted_secrets: Sequence[WantedSecret],
    states: Collection[DeclaredFile],
    secrets: Mapping[str, str],
) -> list[str]:
    """`states`: what there is. A line for each file that was written or removed. Raises
    StepError."""
    wanted = list_wanted(files, wanted_secrets)
    lines = []
    for wanted_file in files:
        if wanted[wanted_file.path] not in states:
            _write_file(manifest, wanted_file)
            lines.append(f"{wanted_file.path}: written")
    for wanted_secret in wanted_secrets:
        lines += _write_secret(manifest, wanted_secret, secrets)
    for state in states:
        if state.path not in wanted:
            manifest.system.remove(state.path)
            lines.append(f"{state.path}: removed")
    return lines


def _write_file(manifest: Manifest, wanted: WantedFile) -> None:
    if wanted.path.startswith(SYSTEMD_UNITS):
        action.mark_due(manifest, action.RELOAD_SYSTEMD)
    mode = int(wanted.mode, 8)
    file.write(manifest, file.FileChange(wanted.path, wanted.text, mode))
    # A file that was there kept its mode.
    manifest.system.set_owner(wanted.path, mode, 0, 0)


def _write_secret(
    manifest: Manifest, wanted: WantedSecret, secrets: Mapping[str, str]
) -> list[str]:
    value, system = secrets.get(wanted.secret), manifest.system
    if not value:
        raise StepError(f"The stack's {wanted.secret} did not arrive; set it and run `pulumi up`.")
    if system.read(wanted.path) == value and read_mode(system, wanted.path) == wanted.mode:
        return []
    secret_file.write(manifest, wanted.path, value, int(wanted.mode, 8))
    return [f"{wanted.path}: written"]


def observe_file(system: System, path: str) -> ObservedFile:
    return ObservedFile(read_mode(system, path), file.compute_digest(system.read(path) or ""))


def read_mode(system: System, path: str) -> str | None:
    state = system.get_state(path)
    return f"{state.mode:04o}" if state else None
