"""Which ports must be open between which addresses, and what already sits on them. Pure.

A firewall is not managed: these are the words for whoever manages it. Ports: Docker's Swarm
tutorial ("open protocols and ports"); the rest is in the stack file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sparkform.doctor.check import Check, View

Protocol = Literal["tcp", "udp"]
SWARM: tuple[tuple[Protocol, str, str], ...] = (
    ("tcp", "7946", "Swarm membership"),
    ("udp", "7946", "Swarm membership"),
    ("udp", "4789", "Swarm networks"),
)
SWARM_MANAGER = "2377"
ANYWHERE = "anywhere"


@dataclass(frozen=True)
class Opening:
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


def openings(view: View) -> Iterator[Opening]:
    """What this node must let in."""
    yield Opening(ANYWHERE, "tcp", str(view.node.port), "SSH, from the machine that runs Pulumi")
    addresses = view.plan.network.management
    others = {name: str(one.ip) for name, one in addresses.items() if name != view.node.name}
    if view.spec.swarm_enabled:
        for address in others.values():
            if view.node.is_head:
                yield Opening(address, "tcp", SWARM_MANAGER, "Swarm manager")
            yield from (Opening(address, *one) for one in SWARM)
    yield from _of_services(view, others)
    yield from _of_fabric(view)


def _of_services(view: View, others: dict[str, str]) -> Iterator[Opening]:
    """NCCL, Gloo and MPI listen on ports that the kernel picks, on the management address."""
    for name, service in view.spec.services.items():
        members = [node.name for node in view.spec.service_nodes(name)]
        if view.node.name not in members:
            continue
        if view.node.name == members[0]:
            yield Opening(ANYWHERE, "tcp", str(service.port), f"API of {name}")
        for member in members:
            if member in others:
                yield Opening(others[member], "tcp", None, f"ranks of {name}")


def _of_fabric(view: View) -> Iterator[Opening]:
    """RDMA passes the firewall by; what checks and copies go as IP over the same links."""
    for one in view.plan.network.fabric.get(view.node.name, ()):
        yield Opening(str(one.planned.address.network), "tcp", None, f"fabric, {one.name}")


def firewall(view: View) -> Iterator[Check]:
    found = view.facts.firewall
    if found is None:
        return
    needed = list(dict.fromkeys(openings(view)))
    listed = ", ".join(map(str, needed))
    if not found.active:
        yield view.ok("firewall", f"turns nothing away; on the way here must be open: {listed}")
        return
    said = "; ".join([*found.because, f"it must let in {listed}"])
    fix = "; ".join(dict.fromkeys(one.command for one in needed))
    yield view.warn("firewall", said, f"unless these are open already: {fix}")


def occupied(view: View) -> Iterator[Check]:
    """Swarm's ports, where something else than dockerd listens on them."""
    if not view.spec.swarm_enabled:
        return
    wanted = {(protocol, int(port)) for protocol, port, _ in SWARM}
    wanted |= {("tcp", int(SWARM_MANAGER))} if view.node.is_head else set()
    for one in view.facts.ports or ():
        if (one.protocol, one.port) in wanted and one.process not in (None, "dockerd"):
            said = f"{one.port}/{one.protocol} is taken by {one.process}, Swarm needs it"
            fix = f"end {one.process}, or give it another port"
            yield view.fail("ports", said, fix)


CHECKS = (firewall, occupied)
