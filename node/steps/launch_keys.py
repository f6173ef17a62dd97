"""One private key of a service's launch SSH, made on this node; it never leaves it.

Prints the public half, which the other nodes of the service are given. It stays the same as long
as the key does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.changes import secret_file
from node.errors import StepError
from node.host.daemons import run_checked
from node.host.differences import format_change
from node.host.paths import SERVICES
from node.host.system import System
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

KEY_NAMES = ("client_key", "host_key")


@dataclass(frozen=True)
class Want:
    """`mode`: octal text; null where there is no such key."""

    service: str
    path: str
    mode: str | None


@dataclass(frozen=True)
class KeyPair:
    """The mode of the private half, and the text of the public one."""

    mode: str | None = None
    public: str | None = None


@dataclass(frozen=True)
class Observed:
    """The keys of the service that asks, by path."""

    keys: Mapping[str, KeyPair] = field(default_factory=dict)


def observe(system: System, request: StepRequest) -> Observed:
    folder = f"{SERVICES}/{request.service}/keys"
    paths = [f"{folder}/{name}" for name in KEY_NAMES]
    return Observed({path: _read_key(system, path) for path in paths if system.get_state(path)})


def narrow(observed: Observed, want: Want) -> Want:
    pair = observed.keys.get(want.path, KeyPair())
    return Want(want.service, want.path, pair.mode if pair.public else None)


def compare(have: Want, want: Want) -> list[str]:
    if have.mode is None:
        return [f"{want.path} is missing, will be created"]
    return [] if have.mode == want.mode else [format_change("mode", have.mode, want.mode)]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """The public half and nothing else. Raises StepError."""
    system, path = manifest.system, want.path
    if not _read_key(system, path).public:
        _generate_key(manifest, path, want.service)
    public = _read_key(system, path).public
    if not public:
        raise StepError(f"`ssh-keygen` made no key at {path}.")
    system.set_owner(path, int(want.mode or "0600", 8), 0, 0)
    return [public]


def _generate_key(manifest: Manifest, path: str, service: str) -> None:
    secret_file.claim(manifest, path)
    secret_file.claim(manifest, f"{path}.pub")
    for key_file in (path, f"{path}.pub"):
        manifest.system.remove(key_file)
    options = ["-q", "-t", "ed25519", "-N", "", "-C", f"sparkform {service}", "-f", path]
    run_checked(manifest.system, ["ssh-keygen", *options])


def _read_key(system: System, path: str) -> KeyPair:
    state, public = system.get_state(path), system.read(f"{path}.pub")
    fields = (public or "").split()[:2]
    is_whole = state is not None and len(fields) == 2
    return KeyPair(f"{state.mode:04o}" if state else None, " ".join(fields) if is_whole else None)


# The ranks that run have read theirs; the peers learn a new one before the next start.
SPEC = StepSpec(
    name="launch_keys",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    prints_answer=True,
)
