"""Which ports must be open between which addresses, and what already sits on them. Pure.

A firewall is not managed: these rows are for whoever manages it. Ports: Docker's Swarm
tutorial ("open protocols and ports"); the rest is in the stack file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from node.host.addresses import is_loopback
from sparkform.doctor.check import Check, NodeView
from sparkform.launch.ports import plan_ports

Protocol = Literal["tcp", "udp"]
SWARM_PORTS: tuple[tuple[Protocol, str, str], ...] = (
    ("tcp", "7946", "Swarm membership"),
    ("udp", "7946", "Swarm membership"),
    ("udp", "4789", "Swarm networks"),
)
SWARM_MANAGER = "2377"
ANYWHERE = "anywhere"


@dataclass(frozen=True)
class RequiredPort:
    """`source` may open `protocol` `port` on a node; `port` None: any."""

    source: str
    protocol: Protocol
    port: str | None
    purpose: str

    @property
    def command(self) -> str:
        """For ufw, which DGX OS brings (Ubuntu)."""
        source = "any" if self.source == ANYWHERE else self.source
        port = f" port {self.port}" if self.port else ""
        return f"sudo ufw allow proto {self.protocol} from {source} to any{port}"

    def __str__(self) -> str:
        port = f"{self.port}/{self.protocol}" if self.port else f"any {self.protocol} port"
        return f"{port} from {self.source} ({self.purpose})"


def list_required_ports(view: NodeView) -> Iterator[RequiredPort]:
    """What this node must let in."""
    yield RequiredPort(
        ANYWHERE, "tcp", str(view.node.port), "SSH, from the machine that runs Pulumi"
    )
    management = view.plan.network.management
    other_addresses = {
        name: str(address.ip) for name, address in management.items() if name != view.node.name
    }
    if view.declaration.swarm_enabled:
        for address in other_addresses.values():
            if view.node.is_head:
                yield RequiredPort(address, "tcp", SWARM_MANAGER, "Swarm manager")
            yield from (RequiredPort(address, *port) for port in SWARM_PORTS)
    yield from _list_monitoring_ports(view, other_addresses)
    yield from _list_gateway_ports(view, other_addresses)
    yield from _list_service_ports(view, other_addresses)
    yield from _list_fabric_ports(view)


def _list_monitoring_ports(
    view: NodeView, other_addresses: dict[str, str]
) -> Iterator[RequiredPort]:
    """Prometheus asks every node's exporter."""
    monitoring = view.declaration.monitoring
    watching = view.declaration.monitoring_node.name
    if monitoring is not None and watching in other_addresses:
        port = str(monitoring.ports.node_exporter)
        yield RequiredPort(other_addresses[watching], "tcp", port, "metrics")


def _list_gateway_ports(view: NodeView, other_addresses: dict[str, str]) -> Iterator[RequiredPort]:
    """Clients ask its node; the node that monitors reads its figures."""
    gateway, declaration = view.declaration.gateway, view.declaration
    if gateway is None or view.node.name != declaration.gateway_node.name:
        return
    if not is_loopback(gateway.address):
        yield RequiredPort(ANYWHERE, "tcp", str(gateway.port), "gateway")
    watching = declaration.monitoring_node.name
    if declaration.monitoring is not None and watching in other_addresses:
        port = str(gateway.metrics_port)
        yield RequiredPort(other_addresses[watching], "tcp", port, "the gateway's metrics")


def _list_api_ports(view: NodeView, name: str, addresses: dict[str, str]) -> Iterator[RequiredPort]:
    """Behind a gateway it alone asks the engine, and the supervisor whether it may."""
    declaration, service = view.declaration, view.declaration.services[name]
    door = declaration.gateway_node.name
    if declaration.gateway is None:
        yield RequiredPort(ANYWHERE, "tcp", str(service.port), f"API of {name}")
    elif door in addresses:
        supervisor = plan_ports(declaration, name).supervisor
        for port in (service.port, supervisor):
            yield RequiredPort(addresses[door], "tcp", str(port), f"{name}, from the gateway")


def _list_service_ports(view: NodeView, other_addresses: dict[str, str]) -> Iterator[RequiredPort]:
    """NCCL, Gloo and MPI listen on ports that the kernel picks, on the management address."""
    for name in view.declaration.services:
        members = [node.name for node in view.declaration.list_service_nodes(name)]
        if view.node.name not in members:
            continue
        if view.node.name == members[0]:
            yield from _list_api_ports(view, name, other_addresses)
        for member in members:
            if member in other_addresses:
                yield RequiredPort(other_addresses[member], "tcp", None, f"ranks of {name}")


def _list_fabric_ports(view: NodeView) -> Iterator[RequiredPort]:
    """RDMA passes the firewall by; what checks and copies go as IP over the same links."""
    for interface in view.plan.network.fabric.get(view.node.name, ()):
        yield RequiredPort(
            str(interface.planned.address.network), "tcp", None, f"fabric, {interface.name}"
        )


def check_firewall(view: NodeView) -> Iterator[Check]:
    firewall = view.facts.firewall
    if firewall is None or not view.is_planned:
        return
    required = list(dict.fromkeys(list_required_ports(view)))
    required_list = ", ".join(map(str, required))
    if not firewall.active:
        yield view.ok("firewall", f"no node firewall; open upstream: {required_list}")
        return
    message = "; ".join([*firewall.because, f"must be open: {required_list}"])
    commands = "; ".join(dict.fromkeys(required_port.command for required_port in required))
    yield view.warn("firewall", message, f"unless they are open already: {commands}")


def check_occupied_ports(view: NodeView) -> Iterator[Check]:
    """Swarm's ports, where something else than dockerd listens on them."""
    if not view.declaration.swarm_enabled:
        return
    swarm_ports = {(protocol, int(port)) for protocol, port, _ in SWARM_PORTS}
    swarm_ports |= {("tcp", int(SWARM_MANAGER))} if view.node.is_head else set()
    for listener in view.facts.ports or ():
        port, process = (listener.protocol, listener.port), listener.process
        if port in swarm_ports and process not in (None, "dockerd"):
            message = f"{listener.port}/{listener.protocol} is taken by {process}; Swarm needs it"
            yield view.fail("ports", message, f"stop {process}, or give it another port")


CHECKS = (check_firewall, check_occupied_ports)
