"""Why a declared gateway could not serve: no keys, ports of others, an address of another machine.
Pure."""

from __future__ import annotations

from collections.abc import Iterator

from node.steps.gateway import OWN_SECRETS
from sparkform.config.secret_keys import format_set_secret
from sparkform.errors import Problem
from sparkform.gateway.paths import EDGE, get_container_name
from sparkform.plan.context import PlanContext
from sparkform.plan.listeners import find_foreign_address, find_taken_port
from sparkform.plan.secrets import StackSecrets

KEYS = "gatewayKeys"


def find_gateway_problems(context: PlanContext, secrets: StackSecrets) -> Iterator[Problem]:
    gateway, node = context.declaration.gateway, context.declaration.gateway_node.name
    if gateway is None:
        return
    yield from find_foreign_address(context, node, gateway.address, "gateway.address")
    report = context.reports.get(node)
    for key, port in (("port", gateway.port), ("metricsPort", gateway.metrics_port)):
        if report is not None:
            name = get_container_name(EDGE)
            yield from find_taken_port(report, node, name, port, f"gateway.{key}")
    yield from _find_missing_secrets(context, secrets)


def _find_missing_secrets(context: PlanContext, secrets: StackSecrets) -> Iterator[Problem]:
    gateway = context.declaration.gateway
    is_own = gateway is not None and gateway.tls.certificate == "own"
    required = {KEYS: "the gateway asks each client for a key"}
    required |= dict.fromkeys(OWN_SECRETS if is_own else (), "gateway.tls.certificate is own")
    for name, reason in required.items():
        if secrets.are_known and name not in secrets.names:
            yield Problem(
                path=f"sparkform:{name}",
                message="is not set",
                because=reason,
                remedy=f"`{format_set_secret(name)}`",
            )
