"""Which node can be reached by which at which address, for what nodes send each other. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface

from node.steps import HaveT, ObservedT, StepSpec, WantT, offer, transfer_key
from node.steps.model import FetchSource
from sparkform.fabric.network import Network, Reports
from sparkform.plan.steps import PlannedStep, StackName, hold_step, plan_step


@dataclass(frozen=True)
class PlanContext:
    """What every plan starts from: addresses, what the nodes say, and whose stack it is."""

    network: Network
    reports: Reports
    stack: StackName

    def is_present(self, node: str) -> bool:
        return node in self.network.management and node in self.reports

    def read_observed(self, node: str, spec: StepSpec[WantT, ObservedT, HaveT]) -> ObservedT:
        """What a node reports of a kind of step, whatever its instance."""
        return spec.read_observed(self.reports[node].steps.get(spec.name))

    def plan_step(
        self,
        node: str,
        step: str,
        spec: StepSpec[WantT, ObservedT, HaveT],
        want: WantT,
        have: HaveT,
    ) -> PlannedStep:
        receipt = self.reports[node].receipts.get(step)
        return plan_step(self.stack, node, step, spec, want, have, receipt)

    def plan_key(self, node: str) -> PlannedStep:
        """The step that makes the key by which those know each other that fetch from `node`."""
        spec = transfer_key.SPEC
        if not self.is_present(node):
            return hold_step(node, spec.name)
        want = transfer_key.build_want()
        have = spec.narrow(self.read_observed(node, spec), want)
        return self.plan_step(node, spec.name, spec, want, have)

    def plan_offer(
        self, source: str, step: str, name: str, receivers: Mapping[str, PlannedStep]
    ) -> PlannedStep:
        """`step` offers what the source's step `name` has brought to those who are to fetch it."""
        if not self.is_present(source):
            return hold_step(source, step)
        want = offer.Want(
            name=name,
            listen=tuple(str(address.ip) for address in list_addresses(self.network, source)),
            receivers={node: receiver.decision.run for node, receiver in receivers.items()},
        )
        waiting = [node for node, receiver in receivers.items() if not receiver.decision.in_sync]
        have = offer.remove_receivers(want, waiting)
        return self.plan_step(source, step, offer.SPEC, want, have)


def list_addresses(network: Network, node: str) -> tuple[IPv4Interface, ...]:
    """Fabric addresses in the order of ports and halves; the management one without a fabric.

    A node that is away has none.
    """
    if node not in network.management:
        return ()
    fabric = sorted(
        network.fabric.get(node, ()),
        key=lambda interface: (interface.planned.port, interface.planned.half),
    )
    return tuple(interface.planned.address for interface in fabric) or (network.management[node],)


def list_addresses_towards(network: Network, source: str, node: str) -> tuple[str, ...]:
    """The addresses of `source` that lie in a network of `node`: both halves of a cable."""
    networks = {address.network for address in list_addresses(network, node)}
    return tuple(
        str(address.ip)
        for address in list_addresses(network, source)
        if address.network in networks
    )


def choose_source(network: Network, source: str, node: str) -> FetchSource:
    """Where `node` gets something from: the source itself from outside, the others from it."""
    if node == source:
        return FetchSource(kind="hub", node=node, addresses=(), own=())
    return FetchSource(
        kind="peer",
        node=source,
        addresses=list_addresses_towards(network, source, node),
        own=tuple(str(address) for address in list_addresses(network, node)),
    )
