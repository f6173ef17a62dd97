"""How a model or an image comes to its nodes: one fetches it, the others copy it from there. Pure.

The source offers what it has over the fabric, between its own step and those of the receivers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Generic

from node.delivery.source import FetchSource
from node.steps import HaveT, ObservedT, StepSpec, WantT, offer, transfer_key
from sparkform.fabric.network import Network
from sparkform.plan.context import PlanContext
from sparkform.plan.steps import PlannedStep, hold_dependent, hold_step
from sparkform.report.unknown import Unknown


@dataclass(frozen=True)
class Transfer:
    """One model or image. `steps` by node, the source first; `offer` runs on the source in between
    and is None where no other node fetches."""

    source: str
    steps: Mapping[str, PlannedStep]
    offer: PlannedStep | None

    @property
    def all_steps(self) -> tuple[PlannedStep, ...]:
        return (*self.steps.values(), *([self.offer] if self.offer else []))


@dataclass(frozen=True)
class TransferPlanner(Generic[WantT, ObservedT, HaveT]):
    """Plans one model or image.

    `step` is its step's name on every node, as in `model:acme--tiny`; `nodes` names the source
    first. `build_want` and `read_observed` give what the step wants and what is reported of it, by
    node; `before` are the steps of the nodes that it builds on.
    """

    context: PlanContext
    spec: StepSpec[WantT, ObservedT, HaveT]
    step: str
    nodes: tuple[str, ...]
    build_want: Callable[[str], WantT]
    read_observed: Callable[[str], ObservedT | Unknown]
    before: Sequence[PlannedStep] = ()

    def plan(self) -> Transfer:
        source, *others = self.nodes
        first = self._plan_step(source)
        receivers = {node: self._plan_step(node, first) for node in others}
        if not receivers:
            return Transfer(source, {source: first}, None)
        offer_step = self._plan_offer(receivers, first)
        receivers = {
            node: hold_dependent(step, self.context.get_record(node, self.step), [offer_step])
            if step.is_changing
            else step
            for node, step in receivers.items()
        }
        return Transfer(source, {source: first, **receivers}, offer_step)

    def _plan_step(self, node: str, *before: PlannedStep) -> PlannedStep:
        """A node that is away keeps what is known of it, and so do those that fetch from it."""
        if not (self.context.is_present(node) and self.context.is_present(self.nodes[0])):
            return hold_step(node, self.step)
        want, observed = self.build_want(node), self.read_observed(node)
        here = [step for step in self.before if step.node in (node, self.nodes[0])]
        planned = self.context.plan_step(
            node, self.spec, want, step=self.step, observed=observed, before=[*here, *before]
        )
        return self.context.hold_unread_network(planned, node, self.nodes[0])

    def _plan_offer(self, receivers: Mapping[str, PlannedStep], first: PlannedStep) -> PlannedStep:
        source, step = self.nodes[0], f"offer:{self.step.replace(':', '-')}"
        if not self.context.is_present(source):
            return hold_step(source, step)
        addresses = list_addresses(self.context.network, source)
        want = offer.Want(
            name=self.step,
            listen=tuple(str(address.ip) for address in addresses),
            receivers={node: receiver.decision.run for node, receiver in receivers.items()},
        )
        waiting = [node for node, step in receivers.items() if not step.decision.in_sync]
        have = offer.remove_receivers(want, waiting)
        key = self.context.plan_step(source, transfer_key.SPEC, transfer_key.build_want())
        here = [step for step in self.before if step.node == source]
        before = [first, *receivers.values(), key, *here]
        planned = self.context.decide_step(source, offer.SPEC, want, have, step=step, before=before)
        return self.context.hold_unread_network(planned, source)


def plan_keys(context: PlanContext, transfers: Iterable[Transfer]) -> dict[str, PlannedStep]:
    """By source: the step that makes the key by which it and those that fetch from it authenticate
    each other."""
    sources = dict.fromkeys(transfer.source for transfer in transfers if transfer.offer)
    return {
        node: context.plan_step(node, transfer_key.SPEC, transfer_key.build_want())
        if context.is_present(node)
        else hold_step(node, transfer_key.SPEC.name)
        for node in sources
    }


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
