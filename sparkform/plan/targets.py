"""How each node that is there is reached, and what its steps are asked. Pure."""

from __future__ import annotations

from pathlib import Path

from sparkform.config import Declaration, EffectiveNode
from sparkform.plan.service_steps import list_requests
from sparkform.plan.wants import list_declared_requests
from sparkform.ssh.target import Target


def list_targets(declaration: Declaration, passphrase: str | None = None) -> tuple[Target, ...]:
    """Every node that is not away. `passphrase` opens `identityFile` where it has one."""
    return tuple(build_target(declaration, node, passphrase) for node in declaration.active_nodes)


def build_target(declaration: Declaration, node: EffectiveNode, passphrase: str | None) -> Target:
    cluster = declaration.cluster
    known_hosts = cluster.known_hosts_file
    return Target(
        name=node.name,
        host=node.host,
        user=node.user,
        port=node.port,
        host_key=node.host_key,
        known_hosts_file=Path(known_hosts) if known_hosts else Target.known_hosts_file,
        identity_file=Path(cluster.identity_file) if cluster.identity_file else None,
        passphrase=passphrase,
        proxy_jump=cluster.proxy_jump,
        model_directory=node.model_directory,
        interfaces=node.interfaces or (),
        steps={
            "fabric_address": {"interfaces": list(node.interfaces or ())},
            **list_declared_requests(node),
            **list_requests(declaration, node.name),
        },
    )
