"""The check of each cable, from each of its ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.steps import fabric_check
from sparkform.fabric.links import build_check_want, build_run_reference, list_partners
from sparkform.fabric.topology import Cable, End
from sparkform.plan.context import PlanContext
from sparkform.plan.nodes import NodeSteps
from sparkform.plan.steps import PlannedStep, hold_step
from sparkform.report.receipts import Json

CHECK = "fabric_check"
"""One instance a port: on a ring each node checks two cables."""


@dataclass(frozen=True)
class LinkPlan:
    """One cable and its check from each end."""

    cable: Cable
    checks: Mapping[str, PlannedStep]


def plan_links(context: PlanContext, nodes: Mapping[str, NodeSteps]) -> tuple[LinkPlan, ...]:
    """Every cable. A check runs again when an address step that it depends on does."""
    address_runs = {
        node: build_run_reference(
            context.stack.owner(node, "fabric_address"), steps["fabric_address"].decision
        )
        for node, steps in nodes.items()
        if "fabric_address" in steps
    }
    return tuple(
        LinkPlan(
            cable,
            {end.node: _plan_check(context, cable, end, address_runs, nodes) for end in cable.ends},
        )
        for cable in context.network.cables
    )


def _plan_check(
    context: PlanContext,
    cable: Cable,
    end: End,
    address_runs: Mapping[str, Json],
    nodes: Mapping[str, NodeSteps],
) -> PlannedStep:
    node, step = end.node, f"{CHECK}:{end.port}"
    concerned = [node, *list_partners(cable, node, context.network)]
    if not all(map(context.is_present, concerned)):
        return hold_step(node, step)
    declared_mtu = context.declaration.fabric_mtu
    want = build_check_want(
        cable,
        node,
        context.network,
        context.reports,
        mtu=None if declared_mtu == "inherit" else declared_mtu,
        runs={name: address_runs[name] for name in concerned},
        expected_gbps=context.declaration.cluster.fabric.link_gbps,
    )
    before = [step for name in concerned for step in nodes[name].values()]
    return context.plan_step(node, fabric_check.SPEC, want, step=step, before=before)
