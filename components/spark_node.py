"""SparkNode: one Spark, from the node program to its addresses on the fabric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_command import remote

from components.host_step import HostStep, NodeAgent, Teardown
from components.run_log import RunLog
from node.steps import STEPS
from sparkform.plan.steps import PlannedStep


@dataclass(frozen=True, kw_only=True)
class SparkNodeArgs:
    """`declared` is the node as plain values, which policies read; `steps` has the agent first."""

    declared: Mapping[str, Any]
    steps: Mapping[str, PlannedStep]
    program: str
    connection: remote.ConnectionArgs
    log: RunLog


class SparkNode(pulumi.ComponentResource):
    """`steps` maps each step's name to its resource."""

    agent: NodeAgent
    steps: dict[str, HostStep]

    def __init__(
        self, name: str, args: SparkNodeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sparkform:index:SparkNode", name, dict(args.declared), opts)
        self.connection = args.connection
        planned, options = dict(args.steps), pulumi.ResourceOptions(parent=self)
        agent = planned.pop("agent")
        teardown = Teardown(f"{name}-teardown", agent, args.connection, options)
        self.agent = NodeAgent(
            f"{name}-agent", agent, args.program, teardown, args.connection, args.log, options
        )
        self.steps = {}
        for step, planned_step in planned.items():
            before = [self.steps[name] for name in STEPS[step].after]
            self.steps[step] = self.create_step(
                planned_step, pulumi.ResourceOptions(depends_on=before)
            )
        self.register_outputs({})

    def create_step(
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
            self.agent,
            self.connection,
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=parent or self)),
            secret,
            token,
        )
