"""Whom a rank's launch SSH trusts: hosts that the head may meet, or the head's key on a worker.

The public keys come beside the document, by node: they are made in the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node.changes import secret_file
from node.errors import StepError
from node.host.paths import SERVICES
from node.host.system import System
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

KNOWN_HOSTS = "known_hosts"
FILE_NAMES = (KNOWN_HOSTS, "authorized_keys")


@dataclass(frozen=True)
class Want:
    """`kind` is known_hosts or authorized_keys; `hosts`: host to node. `mode`: octal text, null
    where there is no such file."""

    service: str
    path: str
    mode: str | None
    kind: str
    hosts: Mapping[str, str]


@dataclass(frozen=True)
class TrustFile:
    """One file; its text is public."""

    mode: str | None = None
    text: str = ""


@dataclass(frozen=True)
class Observed:
    """The files of the service that asks, by path. `keys`: the public keys of all nodes, as far as
    they are known, which the control side adds."""

    files: Mapping[str, TrustFile] = field(default_factory=dict)
    keys: Mapping[str, str | None] = field(default_factory=dict)


def observe(system: System, request: StepRequest) -> Observed:
    folder = f"{SERVICES}/{request.service}/keys"
    paths = [f"{folder}/{name}" for name in FILE_NAMES]
    return Observed({path: _read_file(system, path) for path in paths if system.get_state(path)})


def add_public_keys(observed: Observed, keys: Mapping[str, str | None]) -> Observed:
    """What a node has, once the public keys of all nodes are known, as far as they are. Pure."""
    return replace(observed, keys=dict(keys))


def narrow(observed: Observed, want: Want) -> Want:
    """A host counts where the file trusts it by the key that its node has today."""
    file = observed.files.get(want.path, TrustFile())
    lines = file.text.splitlines()
    trusted = {
        host: node
        for host, node in want.hosts.items()
        if (public := observed.keys.get(node)) and format_line(want.kind, host, public) in lines
    }
    return replace(want, mode=file.mode, hosts=trusted)


def compare(have: Want, want: Want) -> list[str]:
    missing_nodes = sorted({node for host, node in want.hosts.items() if host not in have.hosts})
    if missing_nodes:
        return [f"{want.path} lacks the key of {node}, will be written" for node in missing_nodes]
    if have.mode != want.mode:
        return [f"mode of {want.path} is {have.mode}, will be {want.mode}"]
    return []


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    missing = sorted({node for node in want.hosts.values() if not secrets.get(node)})
    if missing:
        raise StepError(f"The launch keys of {', '.join(missing)} did not arrive; run it again.")
    lines = [format_line(want.kind, host, secrets[node]) for host, node in want.hosts.items()]
    text = "".join(f"{key_line}\n" for key_line in lines)
    if _read_file(manifest.system, want.path) == TrustFile(want.mode, text):
        return []
    secret_file.write(manifest, want.path, text, int(want.mode or "0600", 8))
    return [f"{want.path}: written"]


def format_line(kind: str, host: str, key: str) -> str:
    """
    >>> format_line("known_hosts", "[10.0.0.12]:2233", "ssh-ed25519 AAAA")
    '[10.0.0.12]:2233 ssh-ed25519 AAAA'
    """
    return f"{host} {key}" if kind == KNOWN_HOSTS else key


def _read_file(system: System, path: str) -> TrustFile:
    state = system.get_state(path)
    return TrustFile(f"{state.mode:04o}" if state else None, system.read(path) or "")


SPEC = StepSpec(
    name="launch_peers",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
)
