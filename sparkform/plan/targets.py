"""What the steps of each node that is there are asked, and how it is reached. Pure."""

from __future__ import annotations

from dataclasses import replace

from sparkform.config import Declaration, EffectiveNode
from sparkform.plan.logins import build_login
from sparkform.plan.service_steps import list_requests
from sparkform.plan.wants import list_declared_requests
from sparkform.ssh.target import Target


def list_targets(declaration: Declaration, passphrase: str | None = None) -> tuple[Target, ...]:
    """Every node that is not away. `passphrase` opens `identityFile` where it has one."""
    return tuple(build_target(declaration, node, passphrase) for node in declaration.active_nodes)


def build_target(declaration: Declaration, node: EffectiveNode, passphrase: str | None) -> Target:
    return replace(
        build_login(declaration, node, passphrase),
        steps={
            "fabric_address": {"interfaces": list(node.interfaces or ())},
            **list_declared_requests(node),
            **list_requests(declaration, node.name),
        },
    )
