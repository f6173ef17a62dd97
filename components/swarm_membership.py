"""SwarmMembership: one node's place in the Swarm."""

from __future__ import annotations

import pulumi

from components.host_step import HostStep
from components.spark_node import SparkNode
from sparkform.plan.steps import PlannedStep


class SwarmMembership(pulumi.ComponentResource):
    """The head starts the Swarm; `token` is what lets another node join."""

    member: HostStep

    def __init__(
        self,
        name: str,
        node: SparkNode,
        planned: PlannedStep,
        token: HostStep | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("sparkform:index:SwarmMembership", name, {"node": planned.node}, opts)
        dependencies: list[pulumi.Resource] = [node.steps["docker_daemon"]]
        self.member = node.create_step(
            planned,
            pulumi.ResourceOptions(depends_on=[*dependencies, token] if token else dependencies),
            parent=self,
            secret=pulumi.Output.secret(token.stdout) if token else None,
        )
        self.register_outputs({})
