"""How Pulumi's own connections reach the nodes: the same user, keys and host keys as observing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import remote

from sparkform.config import Declaration
from sparkform.plan.targets import build_target
from sparkform.report.rack_report import LoginKey, QueryResult
from sparkform.ssh.login_keys import needs_passphrase
from sparkform.ssh.target import Target

DIAL_ATTEMPTS = 2
DIAL_TIMEOUT_S = 5


@dataclass(frozen=True)
class _PrivateKey:
    """A private key for the plugin, and its passphrase where it has one; both secret."""

    text: pulumi.Output[str] | None = None
    passphrase: pulumi.Output[str] | None = None


def build_connections(
    declaration: Declaration, results: Mapping[str, QueryResult], passphrase: str | None
) -> dict[str, remote.ConnectionArgs]:
    """By node name. A node that is away is not dialled: what is deferred runs on the head."""
    connections = {
        node.name: build_connection(build_target(declaration, node, passphrase), results[node.name])
        for node in declaration.active_nodes
    }
    return {
        node.name: connections[declaration.head.name if node.away else node.name]
        for node in declaration.nodes
    }


def build_connection(target: Target, result: QueryResult) -> remote.ConnectionArgs:
    """Without a host key the plugin verifies nothing, so none is an error. Raises RunError."""
    host_key = target.host_key or result.host_key
    if host_key is None:
        raise pulumi.RunError(
            f"{target.name}: host key unknown; set hostKey, or observe the node once"
        )
    key = _read_private_key(
        choose_private_key_file(result.login, target.identity_file), target.passphrase
    )
    return remote.ConnectionArgs(
        host=target.host,
        port=target.port,
        user=target.user,
        host_key=host_key,
        private_key=key.text,
        private_key_password=key.passphrase,
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_TIMEOUT_S,
        proxy=_build_proxy(target, result),
    )


def choose_private_key_file(login: LoginKey | None, identity_file: Path | None) -> Path | None:
    """The file whose key the plugin is given; None leaves it to the agent.

    The plugin never asks the agent once it has a key, so it gets one only where observing needed
    one: the agent first, then the identity file. Recorded facts may not say (`login` None).

    >>> choose_private_key_file("agent", Path("~/.ssh/id_ed25519")) is None
    True
    """
    return None if login == "agent" else identity_file


def _build_proxy(target: Target, result: QueryResult) -> remote.ProxyConnectionArgs | None:
    if target.proxy_jump is None:
        return None
    from sparkform.ssh.session import parse_jump_target

    jump = parse_jump_target(target)
    key = _read_private_key(
        choose_private_key_file(result.jump_login, target.identity_file), target.passphrase
    )
    return remote.ProxyConnectionArgs(
        host=jump.host,
        port=jump.port,
        user=jump.user,
        host_key=find_jump_host_key(jump),
        private_key=key.text,
        private_key_password=key.passphrase,
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_TIMEOUT_S,
    )


def find_jump_host_key(jump: Target) -> str:
    """The key of a jump host, which only a known_hosts file tells. Raises RunError."""
    from sparkform.report.rack_report import NodeError
    from sparkform.ssh.host_keys import format_key, read_trust

    trust = read_trust(jump)
    if isinstance(trust, NodeError) or not trust.keys:
        raise pulumi.RunError(
            f"{jump.address}: host key not found in {jump.known_hosts_file}; log in there once"
        )
    return format_key(trust.keys[0])


def _read_private_key(path: Path | None, passphrase: str | None) -> _PrivateKey:
    if path is None:
        return _PrivateKey()
    text = path.expanduser().read_text()
    if passphrase is None or not needs_passphrase(text):
        return _PrivateKey(pulumi.Output.secret(text))
    return _PrivateKey(pulumi.Output.secret(text), pulumi.Output.secret(passphrase))
