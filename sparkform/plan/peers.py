"""Which node can be reached by which at which address, for what nodes send each other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface

from node.steps import spread_key
from node.steps.model import Source
from sparkform.fabric.network import Documents, Network
from sparkform.plan.steps import PlannedStep, StackName, held_step, plan_step
from sparkform.report.facts import NodeDocument
from sparkform.report.receipts import Json


@dataclass(frozen=True)
class Ground:
    """What every plan starts from: addresses, what the nodes say, and whose stack it is."""

    network: Network
    documents: Documents
    stack: StackName

    def is_there(self, node: str) -> bool:
        return node in self.network.management and node in self.documents

    def seen(self, node: str, step: str) -> Json:
        """What a node says of a kind of step, whatever its instance."""
        found = self.documents[node].steps.get(step.partition(":")[0])
        return found if isinstance(found, dict) else {}

    def step(
        self, node: str, step: str, want: Json, have: Json, words: Sequence[str]
    ) -> PlannedStep:
        document: NodeDocument = self.documents[node]
        receipt = document.receipts.get(step)
        return plan_step(self.stack, node, step, want, have, receipt, words)

    def key(self, node: str) -> PlannedStep:
        """The step that makes the key by which those know each other that fetch from `node`."""
        if not self.is_there(node):
            return held_step(node, "spread_key")
        want = spread_key.wanted()
        have = spread_key.narrow(self.seen(node, "spread_key"), want)
        return self.step(node, "spread_key", want, have, spread_key.differences(have, want))


def own_addresses(network: Network, node: str) -> tuple[IPv4Interface, ...]:
    """Fabric addresses in the order of ports and halves; the management one without a fabric.

    A node that is away has none.
    """
    if node not in network.management:
        return ()
    fabric = sorted(
        network.fabric.get(node, ()), key=lambda one: (one.planned.port, one.planned.half)
    )
    return tuple(one.planned.address for one in fabric) or (network.management[node],)


def addresses_towards(network: Network, source: str, node: str) -> tuple[str, ...]:
    """The addresses of `source` that lie in a network of `node`: both halves of a cable."""
    own = {one.network for one in own_addresses(network, node)}
    return tuple(str(one.ip) for one in own_addresses(network, source) if one.network in own)


def source_for(network: Network, source: str, node: str) -> Source:
    """Where `node` gets something from: the source itself from outside, the others from it."""
    if node == source:
        return Source(kind="hub", node=node, addresses=[], own=[])
    return Source(
        kind="peer",
        node=source,
        addresses=list(addresses_towards(network, source, node)),
        own=[str(one) for one in own_addresses(network, node)],
    )
