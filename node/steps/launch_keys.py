"""One private key of a service's launch SSH, made on this node; it never leaves it.

want: {"service", "path", "mode"}. Prints the public half, which the other nodes of the service are
given. It stays the same as long as the key does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import secret_file
from node.errors import Refusal
from node.host.daemons import must
from node.host.differences import changes
from node.host.paths import SERVICES
from node.host.system import System
from node.state.manifest import Journal

PRIVATE = ("client_key", "host_key")
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """Of the keys of the service that asks: mode and public half by path."""
    folder = f"{SERVICES}/{request.get('service')}/keys"
    paths = [f"{folder}/{name}" for name in PRIVATE]
    return {"keys": {path: _key(system, path) for path in paths if system.state(path)}}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    found = seen.get("keys", {}).get(want["path"], {})
    return {**want, "mode": found.get("mode") if found.get("public") else None}


def differences(have: Json, want: Json) -> list[str]:
    if have["mode"] is None:
        return [f"{want['path']} is missing, will be made"]
    return changes(have, want, ["mode"])


def disturbs(have: Json, want: Json) -> str:
    """The ranks that run have read theirs; the peers learn a new one before the next start."""
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    """The public half and nothing else. Raises Refusal."""
    system, path = journal.system, want["path"]
    if not _key(system, path)["public"]:
        _make(journal, path, want["service"])
    public = _key(system, path)["public"]
    if not public:
        raise Refusal(f"`ssh-keygen` made no key at {path}.")
    system.own(path, int(want["mode"], 8), 0, 0)
    return [public]


def _make(journal: Journal, path: str, service: str) -> None:
    secret_file.claim(journal, path)
    secret_file.claim(journal, f"{path}.pub")
    for half in (path, f"{path}.pub"):
        journal.system.remove(half)
    words = ["-q", "-t", "ed25519", "-N", "", "-C", f"sparkform {service}", "-f", path]
    must(journal.system, ["ssh-keygen", *words])


def _key(system: System, path: str) -> dict[str, Any]:
    state, public = system.state(path), system.read(f"{path}.pub")
    words = (public or "").split()[:2]
    return {
        "mode": f"{state.mode:04o}" if state else None,
        "public": " ".join(words) if state and len(words) == 2 else None,
    }
