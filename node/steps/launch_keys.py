"""One private key of a service's launch SSH, made on this node; it never leaves it.

want: {"service", "path", "mode"}. Prints the public half, which the other nodes of the service are
given. It stays the same as long as the key does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import secret_file
from node.errors import StepError
from node.host.daemons import run_checked
from node.host.differences import list_changes
from node.host.paths import SERVICES
from node.host.system import System
from node.state.manifest import Manifest

KEY_NAMES = ("client_key", "host_key")
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """Of the keys of the service that asks: mode and public half by path."""
    folder = f"{SERVICES}/{request.get('service')}/keys"
    paths = [f"{folder}/{name}" for name in KEY_NAMES]
    return {"keys": {path: _read_key(system, path) for path in paths if system.get_state(path)}}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    key = observed.get("keys", {}).get(want["path"], {})
    return {**want, "mode": key.get("mode") if key.get("public") else None}


def compare(have: Json, want: Json) -> list[str]:
    if have["mode"] is None:
        return [f"{want['path']} is missing, will be made"]
    return list_changes(have, want, ["mode"])


def get_disturbance(have: Json, want: Json) -> str:
    """The ranks that run have read theirs; the peers learn a new one before the next start."""
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    """The public half and nothing else. Raises Refusal."""
    system, path = manifest.system, want["path"]
    if not _read_key(system, path)["public"]:
        _generate_key(manifest, path, want["service"])
    public = _read_key(system, path)["public"]
    if not public:
        raise StepError(f"`ssh-keygen` made no key at {path}.")
    system.set_owner(path, int(want["mode"], 8), 0, 0)
    return [public]


def _generate_key(manifest: Manifest, path: str, service: str) -> None:
    secret_file.claim(manifest, path)
    secret_file.claim(manifest, f"{path}.pub")
    for key_file in (path, f"{path}.pub"):
        manifest.system.remove(key_file)
    options = ["-q", "-t", "ed25519", "-N", "", "-C", f"sparkform {service}", "-f", path]
    run_checked(manifest.system, ["ssh-keygen", *options])


def _read_key(system: System, path: str) -> dict[str, Any]:
    state, public = system.get_state(path), system.read(f"{path}.pub")
    fields = (public or "").split()[:2]
    return {
        "mode": f"{state.mode:04o}" if state else None,
        "public": " ".join(fields) if state and len(fields) == 2 else None,
    }
