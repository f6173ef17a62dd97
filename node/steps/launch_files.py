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
from node.errors import Refusal
from node.host.paths import SERVICES
from node.host.system import System
from node.state.manifest import Journal

UNITS = "/etc/systemd/system"
# As slow as a login may be: what is told of a secret must be of no use for guessing it.
COST = {"n": 2**14, "r": 8, "p": 1}
SALT_BYTES = 16
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """Modes and digests by path; of a secret a salted, slow digest that is another each time."""
    service = request.get("service")
    if not service:
        return {"files": {}, "secrets": {}}
    folder = f"{SERVICES}/{service}"
    paths = [*_files(system, folder), *_files(system, f"{folder}/files")]
    paths.append(f"{UNITS}/sparkform-{service}.service")
    secrets = _files(system, f"{folder}/secrets")
    return {
        "files": {path: _seen(system, path) for path in paths if system.state(path)},
        "secrets": {path: _proven(system, path) for path in secrets},
    }


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    """A file that is as wanted has its wanted text; one that is not wanted any more differs."""
    wanted = {one["path"]: one for one in want["files"]}
    found = seen.get("files", {})
    files = [_as_wanted(one, found.get(one["path"])) for one in want["files"]]
    files += [{"path": path, **one} for path, one in found.items() if path not in wanted]
    hidden = seen.get("secrets", {})
    secrets = [{**one, "mode": hidden.get(one["path"], {}).get("mode")} for one in want["secrets"]]
    listed = {one["path"] for one in want["secrets"]}
    secrets += [{"path": path} for path in hidden if path not in listed]
    return {**want, "files": files, "secrets": secrets}


def differences(have: Json, want: Json) -> list[str]:
    wanted = {one["path"]: one for one in [*want["files"], *want["secrets"]]}
    said = []
    for one in [*have["files"], *have["secrets"]]:
        path = one["path"]
        if path not in wanted:
            said.append(f"{path} is of an older launch, will be removed")
        elif one != wanted[path]:
            missing = one.get("mode") is None
            said.append(f"{path} is {'missing' if missing else 'changed'}, will be written")
    return said


def disturbs(have: Json, want: Json) -> str:
    """What an engine was started with it has read: a file that is put right needs no restart."""
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    system = journal.system
    have = narrow(observe(system, want), want)
    done = []
    for one in want["files"]:
        if one not in have["files"]:
            _write(journal, one)
            done.append(f"{one['path']}: written")
    for one in want["secrets"]:
        done += _write_secret(journal, one, secret)
    kept = {one["path"] for one in [*want["files"], *want["secrets"]]}
    for one in [*have["files"], *have["secrets"]]:
        if one["path"] not in kept:
            system.remove(one["path"])
            done.append(f"{one['path']}: removed")
    return done + action.settle(journal, action.RELOAD_SYSTEMD)


def _write(journal: Journal, one: Json) -> None:
    if one["path"].startswith(UNITS):
        action.mark(journal, action.RELOAD_SYSTEMD)
    mode = int(one["mode"], 8)
    file.write(journal, file.Change(one["path"], one["text"], mode))
    # A file that was there kept its mode.
    journal.system.own(one["path"], mode, 0, 0)


def _write_secret(journal: Journal, one: Json, secret: Json) -> list[str]:
    value = secret.get(one["secret"])
    if not value:
        raise Refusal(f"The stack's {one['secret']} did not arrive; set it and run `pulumi up`.")
    if journal.system.read(one["path"]) == value and _mode(journal.system, one) == one["mode"]:
        return []
    secret_file.write(journal, one["path"], value, int(one["mode"], 8))
    return [f"{one['path']}: written"]


def _files(system: System, folder: str) -> list[str]:
    paths = [f"{folder}/{name}" for name in system.names(folder)]
    found = [(path, system.state(path)) for path in paths]
    return [path for path, state in found if state is not None and not state.is_directory]


def _seen(system: System, path: str) -> dict[str, Any]:
    return {"mode": _mode(system, {"path": path}), "sha256": _sha256(system.read(path) or "")}


def _proven(system: System, path: str) -> dict[str, Any]:
    salt = os.urandom(SALT_BYTES)
    return {
        "mode": _mode(system, {"path": path}),
        "salt": salt.hex(),
        "proof": proof(system.read(path) or "", salt),
    }


def proof(value: str, salt: bytes) -> str:
    """By which the control side tells whether a node has its secret. Pure."""
    return hashlib.scrypt(value.encode("utf-8", "surrogateescape"), salt=salt, **COST).hex()


def _as_wanted(one: Json, found: Json | None) -> dict[str, Any]:
    if found is None:
        return {"path": one["path"], "mode": None}
    if found["sha256"] == _sha256(one["text"]) and found["mode"] == one["mode"]:
        return dict(one)
    return {"path": one["path"], **found}


def _mode(system: System, one: Json) -> str | None:
    state = system.state(one["path"])
    return f"{state.mode:04o}" if state else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
