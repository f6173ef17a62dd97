"""How Pulumi's own connections reach the nodes: the same user, keys and host keys as observing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import remote

from sparkform.config import Spec
from sparkform.plan.targets import target
from sparkform.report.rack_report import LoginKey, NodeReport
from sparkform.ssh.login_keys import needs_passphrase
from sparkform.ssh.target import Target

DIAL_ATTEMPTS = 2
DIAL_TIMEOUT_S = 5


@dataclass(frozen=True)
class _Key:
    """A private key for the plugin, and its passphrase where it has one; both secret."""

    text: pulumi.Output[str] | None = None
    passphrase: pulumi.Output[str] | None = None


def connections(
    spec: Spec, reports: Mapping[str, NodeReport], passphrase: str | None
) -> dict[str, remote.ConnectionArgs]:
    """By node name. A node that is away is not dialled: what is put off runs on the head."""
    reached = {
        node.name: connection(target(spec, node, passphrase), reports[node.name])
        for node in spec.active_nodes
    }
    return {node.name: reached[spec.head.name if node.away else node.name] for node in spec.nodes}


def connection(target: Target, report: NodeReport) -> remote.ConnectionArgs:
    """Without a host key the plugin would check nothing, so none is refused."""
    host_key = target.host_key or report.host_key
    if host_key is None:
        raise pulumi.RunError(
            f"{target.name}: its host key is not known; set hostKey, or observe the node once"
        )
    key = _key(private_key_file(report.login, target.identity_file), target.passphrase)
    return remote.ConnectionArgs(
        host=target.host,
        port=target.port,
        user=target.user,
        host_key=host_key,
        private_key=key.text,
        private_key_password=key.passphrase,
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_TIMEOUT_S,
        proxy=_proxy(target, report),
    )


def private_key_file(login: LoginKey | None, identity_file: Path | None) -> Path | None:
    """The file whose key the plugin is given; None leaves it to the agent.

    The plugin never asks the agent once it has a key, so it gets one only where observing needed
    one: the agent first, then the identity file. Recorded facts may not say (`login` None).

    >>> private_key_file("agent", Path("~/.ssh/id_ed25519")) is None
    True
    """
    return None if login == "agent" else identity_file


def _proxy(target: Target, report: NodeReport) -> remote.ProxyConnectionArgs | None:
    if target.proxy_jump is None:
        return None
    from sparkform.ssh.session import jump_target

    jump = jump_target(target)
    key = _key(private_key_file(report.jump_login, target.identity_file), target.passphrase)
    return remote.ProxyConnectionArgs(
        host=jump.host,
        port=jump.port,
        user=jump.user,
        host_key=jump_host_key(jump),
        private_key=key.text,
        private_key_password=key.passphrase,
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_TIMEOUT_S,
    )


def jump_host_key(jump: Target) -> str:
    """The key of a jump host, which only a known_hosts file tells. Raises RunError."""
    from sparkform.report.rack_report import NodeError
    from sparkform.ssh.host_keys import line, trust

    trusted = trust(jump)
    if isinstance(trusted, NodeError) or not trusted.keys:
        raise pulumi.RunError(
            f"{jump.place}: its host key is not in {jump.known_hosts_file}; log in there once"
        )
    return line(trusted.keys[0])


def _key(path: Path | None, passphrase: str | None) -> _Key:
    if path is None:
        return _Key()
    text = path.expanduser().read_text()
    if passphrase is None or not needs_passphrase(text):
        return _Key(pulumi.Output.secret(text))
    return _Key(pulumi.Output.secret(text), pulumi.Output.secret(passphrase))
