"""Which node can be reached by which at which address, for what nodes send each other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface

from node.steps import transfer_key
from node.steps.model import FetchSource
from sparkform.fabric.network import Network, Reports
from sparkform.plan.steps import PlannedStep, StackName, hold_step, plan_step
from sparkform.report.facts import NodeReport
from sparkform.report.receipts import Json


@dataclass(frozen=True)
class PlanContext:
    """What every plan starts from: addresses, what the nodes say, and whose stack it is."""

    network: Network
    reports: Reports
    stack: StackName

    def is_present(self, node: str) -> bool:
        return node in self.network.management and node in self.reports

    def get_state(self, node: str, step: str) -> Json:
        """What a node says of a kind of step, whatever its instance."""
        state = self.reports[node].steps.get(step.partition(":")[0])
        return state if isinstance(state, dict) else {}

    def plan_step(
        self, node: str, step: str, want: Json, have: Json, differences: Sequence[str]
    ) -> PlannedStep:
        report: NodeReport = self.reports[node]
        receipt = report.receipts.get(step)
        return plan_step(self.stack, node, step, want, have, receipt, differences)

    def plan_key(self, node: str) -> PlannedStep:
        """The step that makes the key by which those know each other that fetch from `node`."""
        if not self.is_present(node):
            return hold_step(node, "transfer_key")
        want = transfer_key.build_want()
        have = transfer_key.narrow(self.get_state(node, "transfer_key"), want)
        return self.plan_step(node, "transfer_key", want, have, transfer_key.compare(have, want))


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
        return FetchSource(kind="hub", node=node, addresses=[], own=[])
    return FetchSource(
        kind="peer",
        node=source,
        addresses=list(list_addresses_towards(network, source, node)),
        own=[str(address) for address in list_addresses(network, node)],
    )
