"""A whole rack out of its plan: nodes first, then links and Swarm; services stand on these."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_command import remote

from components.host_step import HostStep
from components.models import Secret, SpreadSteps, build_images, build_models, spread_ground
from components.roce_link import RoceLink
from components.spark_node import SparkNode, SparkNodeArgs
from components.swarm_membership import SwarmMembership
from sparkform.config import Spec
from sparkform.plan.rack import RackPlan, SwarmPlan
from sparkform.rules.props import RACK_TYPE, rack_props

NAME = "rack"


@dataclass(frozen=True)
class Built:
    """What services stand on. `swarm_network` prints the id of the Swarm's host network."""

    nodes: Mapping[str, SparkNode]
    links: tuple[RoceLink, ...] = ()
    brought: SpreadSteps = field(default_factory=dict)
    swarm: tuple[pulumi.Resource, ...] = ()
    swarm_network: HostStep | None = None

    def below(self, nodes: Collection[str], needed: Collection[str]) -> list[pulumi.Resource]:
        """What must stand before a service on these nodes starts, with what is `needed` of models
        (`model:<handle>`) and images (`image:<service>`)."""
        brought = [
            one for (node, name), one in self.brought.items() if node in nodes and name in needed
        ]
        steps = [step for name in nodes for step in self.nodes[name].steps.values()]
        links = self.links if len(nodes) > 1 else ()
        return [*steps, *links, *self.swarm, *brought]


class Rack(pulumi.ComponentResource):
    """The declaration as plain props, which policies judge, and the parent of all else."""

    def __init__(self, spec: Spec, secrets: Collection[str]) -> None:
        props = rack_props(spec, secrets)
        super().__init__(RACK_TYPE, NAME, props)
        self.register_outputs(props)


def build_rack(
    rack: Rack,
    spec: Spec,
    plan: RackPlan,
    program: str,
    connections: Mapping[str, remote.ConnectionArgs],
    secret: Secret,
) -> Built:
    """Register every resource of the rack itself.

    `secret` gives a secret of the stack by its key, None where the stack has none.
    """
    inside = pulumi.ResourceOptions(parent=rack)
    nodes = {
        declared.name: SparkNode(
            declared.name,
            SparkNodeArgs(
                declared=declared.plain(),
                steps=plan.nodes[declared.name],
                program=program,
                connection=connections[declared.name],
            ),
            inside,
        )
        for declared in spec.cluster.nodes
    }
    # The colons of a cable's name separate a URN's parts.
    links = tuple(
        RoceLink(link.cable.name.replace(":", "."), link, nodes, inside) for link in plan.links
    )
    ground = spread_ground(nodes, links, plan.keys)
    brought = build_models(plan.models, ground, secret)
    brought |= build_images(plan.images, ground, secret)
    if plan.swarm is None:
        return Built(nodes, links, brought)
    labels, network = _build_swarm(spec.head.name, plan.swarm, nodes, inside)
    return Built(nodes, links, brought, (labels,), network)


def _build_swarm(
    head: str, plan: SwarmPlan, nodes: Mapping[str, SparkNode], inside: pulumi.ResourceOptions
) -> tuple[HostStep, HostStep | None]:
    """The head starts it, the others join with its token, and then all are labelled. Returns the
    labels, which are the last of it, and what tells its network."""
    first = SwarmMembership(f"{head}-swarm-member", nodes[head], plan.members[head], opts=inside)
    token = nodes[head].host_step(
        plan.token,
        pulumi.ResourceOptions(depends_on=[first.member], additional_secret_outputs=["stdout"]),
        parent=first,
    )
    members = [
        SwarmMembership(f"{name}-swarm-member", nodes[name], planned, token, inside).member
        for name, planned in plan.members.items()
        if name != head
    ]
    labels = nodes[head].host_step(
        plan.labels, pulumi.ResourceOptions(depends_on=[first.member, *members]), parent=first
    )
    if plan.network is None:
        return labels, None
    last = pulumi.ResourceOptions(depends_on=[first.member])
    return labels, nodes[head].host_step(plan.network, last, parent=first)
