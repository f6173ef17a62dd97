"""Whom a rank's launch SSH trusts: hosts that the head may meet, or the head's key on a worker.

want: {"service", "path", "mode", "kind", "hosts": {host: node}}; `kind` is known_hosts or
authorized_keys. The public keys come beside the document, by node: they are made in the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import secret_file
from node.errors import Refusal
from node.host.paths import SERVICES
from node.host.system import System
from node.state.manifest import Journal

NAMES = ("known_hosts", "authorized_keys")
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """The files of the service that asks: mode and text, which is public, by path."""
    folder = f"{SERVICES}/{request.get('service')}/keys"
    paths = [f"{folder}/{name}" for name in NAMES]
    return {"files": {path: _file(system, path) for path in paths if system.state(path)}}


def beside_keys(seen: Json, keys: Mapping[str, str | None]) -> dict[str, Any]:
    """What a node sees, once the public keys of all nodes are known, as far as they are. Pure."""
    return {**seen, "keys": dict(keys)}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    """A host counts where the file trusts it by the key that its node has today."""
    found = seen.get("files", {}).get(want["path"], {})
    lines, keys = found.get("text", "").splitlines(), seen.get("keys", {})
    trusted = {
        host: node
        for host, node in want["hosts"].items()
        if keys.get(node) and line(want["kind"], host, keys[node]) in lines
    }
    return {**want, "mode": found.get("mode"), "hosts": trusted}


def differences(have: Json, want: Json) -> list[str]:
    lacking = sorted({node for host, node in want["hosts"].items() if host not in have["hosts"]})
    said = [f"{want['path']} lacks the key of {node}, will be written" for node in lacking]
    if not said and have["mode"] != want["mode"]:
        said = [f"mode of {want['path']} is {have['mode']}, will be {want['mode']}"]
    return said


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    missing = sorted({node for node in want["hosts"].values() if not secret.get(node)})
    if missing:
        raise Refusal(f"The launch keys of {', '.join(missing)} did not arrive; run it again.")
    lines = [line(want["kind"], host, secret[node]) for host, node in want["hosts"].items()]
    text = "".join(f"{one}\n" for one in lines)
    if _file(journal.system, want["path"]) == {"mode": want["mode"], "text": text}:
        return []
    secret_file.write(journal, want["path"], text, int(want["mode"], 8))
    return [f"{want['path']}: written"]


def line(kind: str, host: str, key: str) -> str:
    """
    >>> line("known_hosts", "[10.0.0.12]:2233", "ssh-ed25519 AAAA")
    '[10.0.0.12]:2233 ssh-ed25519 AAAA'
    """
    return f"{host} {key}" if kind == "known_hosts" else key


def _file(system: System, path: str) -> dict[str, Any]:
    state = system.state(path)
    return {"mode": f"{state.mode:04o}" if state else None, "text": system.read(path) or ""}
