"""A whole rack out of its plan: nodes first, then links and Swarm; services stand on these."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_command import remote

from components.host_step import HostStep
from components.roce_link import RoceLink
from components.run_log import RunLog
from components.spark_node import SparkNode, SparkNodeArgs
from components.swarm_membership import SwarmMembership
from components.transfer import (
    Secret,
    TransferSteps,
    build_images,
    build_models,
    build_transfer_context,
)
from sparkform.config import Declaration
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.swarm import SwarmPlan
from sparkform.rules.props import RACK_TYPE, build_rack_props

NAME = "rack"


@dataclass(frozen=True)
class RackResources:
    """What services stand on. `swarm_network` prints the id of the Swarm's host network."""

    nodes: Mapping[str, SparkNode]
    links: tuple[RoceLink, ...] = ()
    transfers: TransferSteps = field(default_factory=dict)
    swarm: tuple[pulumi.Resource, ...] = ()
    swarm_network: HostStep | None = None

    def list_dependencies(
        self, nodes: Collection[str], requirements: Collection[str]
    ) -> list[pulumi.Resource]:
        """What must stand before a service on these nodes starts, with what is `needed` of models
        (`model:<handle>`) and images (`image:<service>`)."""
        transfers = [
            step
            for (node, name), step in self.transfers.items()
            if node in nodes and name in requirements
        ]
        steps = [step for name in nodes for step in self.nodes[name].steps.values()]
        links = self.links if len(nodes) > 1 else ()
        return [*steps, *links, *self.swarm, *transfers]


class Rack(pulumi.ComponentResource):
    """The declaration as plain props, which policies judge, and the parent of all else."""

    def __init__(self, declaration: Declaration, secrets: Collection[str]) -> None:
        props = build_rack_props(declaration, secrets)
        super().__init__(RACK_TYPE, NAME, props)
        self.register_outputs(props)


def build_rack(
    rack: Rack,
    declaration: Declaration,
    plan: RackPlan,
    program: str,
    connections: Mapping[str, remote.ConnectionArgs],
    secret: Secret,
    log: RunLog,
) -> RackResources:
    """Register every resource of the rack itself.

    `secret` gives a secret of the stack by its key, None where the stack has none.
    """
    options = pulumi.ResourceOptions(parent=rack)
    nodes = {
        node_config.name: SparkNode(
            node_config.name,
            SparkNodeArgs(
                declared=node_config.to_plain(),
                steps=plan.nodes[node_config.name],
                program=program,
                connection=connections[node_config.name],
                log=log,
            ),
            options,
        )
        for node_config in declaration.cluster.nodes
    }
    # The colons of a cable's name separate a URN's parts.
    links = tuple(
        RoceLink(link.cable.name.replace(":", "."), link, nodes, options) for link in plan.links
    )
    context = build_transfer_context(nodes, links, plan.keys)
    transfers = build_models(plan.models, context, secret)
    transfers |= build_images(plan.images, context, secret)
    if plan.swarm is None:
        return RackResources(nodes, links, transfers)
    labels, network = _build_swarm(declaration.head.name, plan.swarm, nodes, options)
    return RackResources(nodes, links, transfers, (labels,), network)


def _build_swarm(
    head: str, plan: SwarmPlan, nodes: Mapping[str, SparkNode], options: pulumi.ResourceOptions
) -> tuple[HostStep, HostStep | None]:
    """The head starts it, the others join with its token, and then all are labelled. Returns the
    labels, which are the last of it, and what tells its network."""
    first = SwarmMembership(f"{head}-swarm-member", nodes[head], plan.members[head], opts=options)
    token = nodes[head].create_step(
        plan.token,
        pulumi.ResourceOptions(depends_on=[first.member], additional_secret_outputs=["stdout"]),
        parent=first,
    )
    members = [
        SwarmMembership(f"{name}-swarm-member", nodes[name], planned, token, options).member
        for name, planned in plan.members.items()
        if name != head
    ]
    labels = nodes[head].create_step(
        plan.labels, pulumi.ResourceOptions(depends_on=[first.member, *members]), parent=first
    )
    if plan.network is None:
        return labels, None
    last = pulumi.ResourceOptions(depends_on=[first.member])
    return labels, nodes[head].create_step(plan.network, last, parent=first)
