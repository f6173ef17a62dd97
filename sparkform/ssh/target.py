"""A node as `observe` needs it: where it is, how to log in, and what to ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from node.host.paths import MODELS


@dataclass(frozen=True)
class VerbRequest:
    """A verb of the node program with its request."""

    verb: str
    request: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One node to observe.

    `host_key` is an OpenSSH public key line ("ssh-ed25519 AAAA…"); without one `known_hosts_file`
    decides. `proxy_jump` is "[user@]host[:port]", its key must stand in `known_hosts_file`.
    `steps` holds what is asked of a step on this node, by step name.
    """

    name: str
    host: str
    user: str
    port: int = 22
    host_key: str | None = None
    known_hosts_file: Path = Path("~/.ssh/known_hosts")
    identity_file: Path | None = None
    passphrase: str | None = field(default=None, repr=False)
    proxy_jump: str | None = None
    model_directory: str = MODELS
    interfaces: tuple[str, ...] = ()
    steps: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The host as ssh's tools write it: [host]:port for a port of its own."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"
