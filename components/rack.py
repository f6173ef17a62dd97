"""A whole rack out of its plan: nodes first, then links and Swarm."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import pulumi
from pulumi_command import remote

from components.models import build_models
from components.roce_link import RoceLink
from components.spark_node import SparkNode, SparkNodeArgs
from components.swarm_membership import SwarmMembership
from sparkform.planner.plan import RackPlan, SwarmPlan
from sparkform.rules.props import RACK_TYPE, rack_props
from sparkform.spec import Spec

NAME = "rack"


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
    secret: Callable[[str], pulumi.Output[str] | None],
) -> dict[str, SparkNode]:
    """Register every resource of the rack; returns the nodes by name.

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
    on_fabric = [
        # The colons of a cable's name separate a URN's parts.
        RoceLink(link.cable.name.replace(":", "."), link, nodes, inside)
        for link in plan.links
    ]
    build_models(plan.models, nodes, on_fabric, secret)
    if plan.swarm:
        _build_swarm(spec.head.name, plan.swarm, nodes, inside)
    return nodes


def _build_swarm(
    head: str, plan: SwarmPlan, nodes: Mapping[str, SparkNode], inside: pulumi.ResourceOptions
) -> None:
    """The head starts it, the others join with its token, and then all are labelled."""
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
    nodes[head].host_step(
        plan.labels, pulumi.ResourceOptions(depends_on=[first.member, *members]), parent=first
    )
