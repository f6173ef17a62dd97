"""RoceLink: one cable, or one node's way to the switch. It owns the check; nodes own addresses."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.spark_node import SparkNode
from sparkform.plan.links import LinkPlan


class RoceLink(pulumi.ComponentResource):
    """The check runs from each end, once the addresses of all nodes that it asks are there."""

    def __init__(
        self,
        name: str,
        link: LinkPlan,
        nodes: Mapping[str, SparkNode],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        ends = [str(end) for end in link.cable.ends]
        super().__init__(
            "sparkform:index:RoceLink", name, {"cable": link.cable.name, "ends": ends}, opts
        )
        confirm_steps = [node.steps["fabric_confirm"] for node in nodes.values()]
        for node, planned in link.checks.items():
            nodes[node].create_step(
                planned, pulumi.ResourceOptions(depends_on=confirm_steps), parent=self
            )
        self.register_outputs({})
