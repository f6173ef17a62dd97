"""Whom a rank's launch SSH trusts: hosts that the head may meet, or the head's key on a worker.

want: {"service", "path", "mode", "kind", "hosts": {host: node}}; `kind` is known_hosts or
authorized_keys. The public keys come beside the document, by node: they are made in the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import secret_file
from node.errors import StepError
from node.host.paths import SERVICES
from node.host.system import System
from node.state.manifest import Manifest

FILE_NAMES = ("known_hosts", "authorized_keys")
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """The files of the service that asks: mode and text, which is public, by path."""
    folder = f"{SERVICES}/{request.get('service')}/keys"
    paths = [f"{folder}/{name}" for name in FILE_NAMES]
    return {"files": {path: _read_file(system, path) for path in paths if system.get_state(path)}}


def add_public_keys(observed: Json, keys: Mapping[str, str | None]) -> dict[str, Any]:
    """What a node sees, once the public keys of all nodes are known, as far as they are. Pure."""
    return {**observed, "keys": dict(keys)}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    """A host counts where the file trusts it by the key that its node has today."""
    file = observed.get("files", {}).get(want["path"], {})
    lines, keys = file.get("text", "").splitlines(), observed.get("keys", {})
    trusted = {
        host: node
        for host, node in want["hosts"].items()
        if keys.get(node) and format_line(want["kind"], host, keys[node]) in lines
    }
    return {**want, "mode": file.get("mode"), "hosts": trusted}


def compare(have: Json, want: Json) -> list[str]:
    missing_nodes = sorted(
        {node for host, node in want["hosts"].items() if host not in have["hosts"]}
    )
    messages = [
        f"{want['path']} lacks the key of {node}, will be written" for node in missing_nodes
    ]
    if not messages and have["mode"] != want["mode"]:
        messages = [f"mode of {want['path']} is {have['mode']}, will be {want['mode']}"]
    return messages


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    missing = sorted({node for node in want["hosts"].values() if not secret.get(node)})
    if missing:
        raise StepError(f"The launch keys of {', '.join(missing)} did not arrive; run it again.")
    lines = [format_line(want["kind"], host, secret[node]) for host, node in want["hosts"].items()]
    text = "".join(f"{key_line}\n" for key_line in lines)
    if _read_file(manifest.system, want["path"]) == {"mode": want["mode"], "text": text}:
        return []
    secret_file.write(manifest, want["path"], text, int(want["mode"], 8))
    return [f"{want['path']}: written"]


def format_line(kind: str, host: str, key: str) -> str:
    """
    >>> format_line("known_hosts", "[10.0.0.12]:2233", "ssh-ed25519 AAAA")
    '[10.0.0.12]:2233 ssh-ed25519 AAAA'
    """
    return f"{host} {key}" if kind == "known_hosts" else key


def _read_file(system: System, path: str) -> dict[str, Any]:
    state = system.get_state(path)
    return {"mode": f"{state.mode:04o}" if state else None, "text": system.read(path) or ""}
