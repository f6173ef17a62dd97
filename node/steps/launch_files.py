"""What a rank is started with: its files, and its secrets in files that are root's alone.

want: {"service", "files": [{"path", "mode", "text"}], "secrets": [{"secret", "path", "mode"}]};
modes as text in octal. A secret's value comes in the line of secrets, by its name. Files that an
older launch had and this one has not are removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from node.changes import action, file, secret_file
from node.errors import StepError
from node.host.paths import SERVICES
from node.host.system import System
from node.state.manifest import Manifest

UNITS = "/etc/systemd/system"
# As slow as a login may be: what is told of a secret must be of no use for guessing it.
SCRYPT_COST = {"n": 2**14, "r": 8, "p": 1}
SALT_BYTES = 16
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """Modes and digests by path; of a secret a salted, slow digest that is another each time."""
    service = request.get("service")
    if not service:
        return {"files": {}, "secrets": {}}
    folder = f"{SERVICES}/{service}"
    paths = [*_list_files(system, folder), *_list_files(system, f"{folder}/files")]
    paths.append(f"{UNITS}/sparkform-{service}.service")
    secrets = _list_files(system, f"{folder}/secrets")
    return {
        "files": {path: _observe_file(system, path) for path in paths if system.get_state(path)},
        "secrets": {path: _observe_secret(system, path) for path in secrets},
    }


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    """A file that is as wanted has its wanted text; one that is not wanted any more differs."""
    wanted_files = {entry["path"]: entry for entry in want["files"]}
    observed_files = observed.get("files", {})
    files = [_narrow_file(entry, observed_files.get(entry["path"])) for entry in want["files"]]
    files += [
        {"path": path, **entry}
        for path, entry in observed_files.items()
        if path not in wanted_files
    ]
    observed_secrets = observed.get("secrets", {})
    secrets = [
        {**entry, "mode": observed_secrets.get(entry["path"], {}).get("mode")}
        for entry in want["secrets"]
    ]
    wanted_secrets = {entry["path"] for entry in want["secrets"]}
    secrets += [{"path": path} for path in observed_secrets if path not in wanted_secrets]
    return {**want, "files": files, "secrets": secrets}


def compare(have: Json, want: Json) -> list[str]:
    wanted_entries = {entry["path"]: entry for entry in [*want["files"], *want["secrets"]]}
    messages = []
    for entry in [*have["files"], *have["secrets"]]:
        path = entry["path"]
        if path not in wanted_entries:
            messages.append(f"{path} is of an older launch, will be removed")
        elif entry != wanted_entries[path]:
            is_missing = entry.get("mode") is None
            messages.append(f"{path} is {'missing' if is_missing else 'changed'}, will be written")
    return messages


def get_disturbance(have: Json, want: Json) -> str:
    """What an engine was started with it has read: a file that is put right needs no restart."""
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    system = manifest.system
    have = narrow(observe(system, want), want)
    messages = []
    for entry in want["files"]:
        if entry not in have["files"]:
            _write(manifest, entry)
            messages.append(f"{entry['path']}: written")
    for entry in want["secrets"]:
        messages += _write_secret(manifest, entry, secret)
    wanted_paths = {entry["path"] for entry in [*want["files"], *want["secrets"]]}
    for entry in [*have["files"], *have["secrets"]]:
        if entry["path"] not in wanted_paths:
            system.remove(entry["path"])
            messages.append(f"{entry['path']}: removed")
    return messages + action.perform_due(manifest, action.RELOAD_SYSTEMD)


def _write(manifest: Manifest, entry: Json) -> None:
    if entry["path"].startswith(UNITS):
        action.mark_due(manifest, action.RELOAD_SYSTEMD)
    mode = int(entry["mode"], 8)
    file.write(manifest, file.FileChange(entry["path"], entry["text"], mode))
    # A file that was there kept its mode.
    manifest.system.set_owner(entry["path"], mode, 0, 0)


def _write_secret(manifest: Manifest, entry: Json, secret: Json) -> list[str]:
    value = secret.get(entry["secret"])
    if not value:
        raise StepError(
            f"The stack's {entry['secret']} did not arrive; set it and run `pulumi up`."
        )
    if (
        manifest.system.read(entry["path"]) == value
        and _read_mode(manifest.system, entry) == entry["mode"]
    ):
        return []
    secret_file.write(manifest, entry["path"], value, int(entry["mode"], 8))
    return [f"{entry['path']}: written"]


def _list_files(system: System, folder: str) -> list[str]:
    paths = [f"{folder}/{name}" for name in system.list_names(folder)]
    states = [(path, system.get_state(path)) for path in paths]
    return [path for path, state in states if state is not None and not state.is_directory]


def _observe_file(system: System, path: str) -> dict[str, Any]:
    return {
        "mode": _read_mode(system, {"path": path}),
        "sha256": _compute_sha256(system.read(path) or ""),
    }


def _observe_secret(system: System, path: str) -> dict[str, Any]:
    salt = os.urandom(SALT_BYTES)
    return {
        "mode": _read_mode(system, {"path": path}),
        "salt": salt.hex(),
        "proof": compute_proof(system.read(path) or "", salt),
    }


def compute_proof(value: str, salt: bytes) -> str:
    """By which the control side tells whether a node has its secret. Pure."""
    return hashlib.scrypt(value.encode("utf-8", "surrogateescape"), salt=salt, **SCRYPT_COST).hex()


def _narrow_file(entry: Json, observed_file: Json | None) -> dict[str, Any]:
    if observed_file is None:
        return {"path": entry["path"], "mode": None}
    if (
        observed_file["sha256"] == _compute_sha256(entry["text"])
        and observed_file["mode"] == entry["mode"]
    ):
        return dict(entry)
    return {"path": entry["path"], **observed_file}


def _read_mode(system: System, entry: Json) -> str | None:
    state = system.get_state(entry["path"])
    return f"{state.mode:04o}" if state else None


def _compute_sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
