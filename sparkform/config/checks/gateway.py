"""Checks of the gateway against cluster and services: its node, ports, names and reach."""

from __future__ import annotations

from collections.abc import Iterator

from node.host.addresses import is_loopback
from sparkform.config.checks.monitoring import list_monitoring_ports
from sparkform.config.checks.placement import find_absent_node
from sparkform.config.checks.services import SWARM_PORTS
from sparkform.config.draft import Draft
from sparkform.config.effective import is_swarm_enabled
from sparkform.config.gateway import Gateway
from sparkform.errors import Problem

IMAGE = "gateway"
"""The step of its image is named so, beside those of services."""


def check_gateway_node(draft: Draft) -> Iterator[Problem]:
    """The gateway runs on a node of the cluster that is not away."""
    name = draft.gateway.node if draft.gateway else None
    yield from find_absent_node(draft, "gateway.node", name)


def check_gateway_ports(draft: Draft) -> Iterator[Problem]:
    """The gateway's ports are used by nothing else that is declared on its node."""
    if draft.gateway is None:
        return
    taken = _list_taken_ports(draft)
    ports = (("port", draft.gateway.port), ("metricsPort", draft.gateway.metrics_port))
    for key, port in ports:
        if port in taken:
            yield Problem(
                path=f"gateway.{key}",
                message=f"is also {taken[port]} on node {_get_node(draft, draft.gateway)}",
                got=str(port),
                allowed="a different one",
            )
        taken[port] = f"the gateway's {key}"


def _list_taken_ports(draft: Draft) -> dict[int, str]:
    """By port: what else is declared to listen there on the gateway's node."""
    node = _get_node(draft, draft.gateway)
    blocks = [block for _, block in draft.list_readable_services()]
    taken = {
        declared.port: "the port of SSH"
        for _, declared in draft.enumerate_readable_nodes()
        if declared.name == node
    }
    if draft.swarm and is_swarm_enabled(draft.swarm.enabled, blocks):
        taken |= dict.fromkeys(SWARM_PORTS, "a port of Docker's Swarm")
    for name, service in draft.list_groups():
        if next(iter(draft.list_members(service)), None) == node:
            taken[service.port] = f"the port of service {name}"
    for key, port in list_monitoring_ports(draft, node or ""):
        taken[port] = f"the port of monitoring's {key}"
    return taken


def _get_node(draft: Draft, gateway: Gateway | None) -> str | None:
    declared = gateway.node if gateway else None
    return declared or next(iter(draft.names), None)


def check_reach(draft: Draft) -> Iterator[Problem]:
    """What listens on loopback is reached from its own node alone."""
    if draft.gateway is None:
        return
    node = _get_node(draft, draft.gateway)
    for name, service in draft.list_groups():
        first = next(iter(draft.list_members(service)), None)
        if is_loopback(service.bind) and first is not None and first != node:
            yield Problem(
                path=f"services.{name}.bind",
                message=f"is reached on {first} alone, and the gateway runs on {node}",
                got=service.bind,
                allowed="0.0.0.0 or an address of the node",
                remedy=f"leave the key out, or set gateway.node to {first}",
            )


def check_model_names(draft: Draft) -> Iterator[Problem]:
    """A request names its model, so two services behind one address have different names, and an
    alias is none of them."""
    if draft.gateway is None:
        return
    owners: dict[str, str] = {}
    for name, service in draft.list_readable_services():
        model_name = service.served_name or service.model or name
        adapters = [adapter.name for adapter in getattr(service, "adapters", ())]
        for served in (model_name, *adapters):
            owner = owners.setdefault(served, name)
            if owner != name:
                yield Problem(
                    path=f"services.{name}.servedName",
                    message=f"is also the name of service {owner}'s model",
                    got=served,
                    because="the gateway finds a service by its model's name",
                    remedy="give it another servedName",
                )
    yield from _check_aliases(draft, draft.gateway, owners)


def _check_aliases(draft: Draft, gateway: Gateway, owners: dict[str, str]) -> Iterator[Problem]:
    for alias, service in gateway.aliases.items():
        path = f"gateway.aliases.{alias}"
        if service not in draft.services:
            known = ", ".join(draft.services) or "none is declared"
            yield Problem(path=path, message="is no service", got=service, allowed=known)
        if alias in owners:
            yield Problem(
                path=path,
                message=f"is already the name of a model of service {owners[alias]}",
                remedy="choose another name",
            )


def check_certificate_names(draft: Draft) -> Iterator[Problem]:
    """Names belong to a certificate that is made on the node."""
    tls = draft.gateway.tls if draft.gateway else None
    if tls and tls.names and tls.certificate != "made":
        yield Problem(
            path="gateway.tls.names",
            message=f"is not allowed with certificate: {tls.certificate}",
            because="only a certificate that is made is given names",
            remedy="leave it out",
        )


def check_image_name(draft: Draft) -> Iterator[Problem]:
    """With a gateway no service is called gateway."""
    if draft.gateway and IMAGE in draft.services:
        yield Problem(
            path=f"services.{IMAGE}",
            message=f"is called {IMAGE}",
            because="the step of the gateway's own image is named so",
            remedy="rename the service",
        )


CHECKS = (
    check_gateway_node,
    check_gateway_ports,
    check_reach,
    check_model_names,
    check_certificate_names,
    check_image_name,
)
