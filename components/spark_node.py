"""SparkNode: one Spark, from the node program to its addresses on the fabric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_command import remote

from components.host_step import HostStep, NodeAnchor, WayBack
from sparkform.plan.steps import PlannedStep

AFTER = {"fabric_confirm": "fabric_address"}
"""Steps of one node that wait for another one; the rest wait for the anchor alone."""


@dataclass(frozen=True, kw_only=True)
class SparkNodeArgs:
    """`declared` is the plain spec of the node, which policies read; `steps` the anchor first."""

    declared: Mapping[str, Any]
    steps: Mapping[str, PlannedStep]
    program: str
    connection: remote.ConnectionArgs


class SparkNode(pulumi.ComponentResource):
    """`steps` maps each step's name to its resource."""

    anchor: NodeAnchor
    steps: dict[str, HostStep]

    def __init__(
        self, name: str, args: SparkNodeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sparkform:index:SparkNode", name, dict(args.declared), opts)
        self.connection = args.connection
        planned, inside = dict(args.steps), pulumi.ResourceOptions(parent=self)
        anchor = planned.pop("anchor")
        way_back = WayBack(f"{name}-way-back", anchor, args.connection, inside)
        self.anchor = NodeAnchor(
            f"{name}-anchor", anchor, args.program, way_back, args.connection, inside
        )
        self.steps = {}
        for step, one in planned.items():
            before = [self.steps[AFTER[step]]] if step in AFTER else []
            self.steps[step] = self.host_step(one, pulumi.ResourceOptions(depends_on=before))
        self.register_outputs({})

    def host_step(
        self,
        planned: PlannedStep,
        opts: pulumi.ResourceOptions,
        parent: pulumi.Resource | None = None,
        secret: pulumi.Output[str] | None = None,
        token: str | None = None,
    ) -> HostStep:
        """A further step on this node, which may belong to another component."""
        return HostStep(
            f"{planned.node}-{planned.step.replace(':', '-')}",
            planned,
            self.anchor,
            self.connection,
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=parent or self)),
            secret,
            token,
        )
