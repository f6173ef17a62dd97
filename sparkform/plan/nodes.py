"""The steps that concern one node alone: agent, host settings, fabric addresses. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sparkform.plan.context import PlanContext
from sparkform.plan.disturbance import ServicesByNode, mark_stopped_services
from sparkform.plan.steps import PlannedStep, hold_step
from sparkform.plan.wants import AGENT, NodeInputs, list_node_steps, plan_node_wants

NodeSteps = Mapping[str, PlannedStep]
"""By step name, in the order in which they can run; the agent first."""


def plan_nodes(
    context: PlanContext, agent_sha256: str, serving: ServicesByNode
) -> dict[str, NodeSteps]:
    """By node name. `agent_sha256` is that of the agent that goes with this version."""
    return {
        node.name: {
            name: mark_stopped_services(step, serving)
            for name, step in _plan_node(context, node.name, agent_sha256).items()
        }
        for node in context.declaration.nodes
    }


def _plan_node(context: PlanContext, node: str, agent_sha256: str) -> dict[str, PlannedStep]:
    if not context.is_present(node):
        return {step: hold_step(node, step) for step in list_node_steps(context.declaration)}
    inputs = NodeInputs(context.declaration.get_node(node), context.reports[node])
    wants = plan_node_wants(context.declaration, inputs, context.network.fabric[node])
    steps = {AGENT: _plan_agent(context, node, agent_sha256)}
    steps |= {step: context.plan_step(node, step, want) for step, want in wants.items()}
    if "fabric_address" in steps:
        confirmed = {"fabric_address": steps["fabric_address"].decision.run}
        steps["fabric_confirm"] = context.plan_step(node, "fabric_confirm", confirmed)
    return steps


def _plan_agent(context: PlanContext, node: str, agent_sha256: str) -> PlannedStep:
    want = {"sha256": agent_sha256}
    have = context.get_state(node, AGENT)
    differences = [] if have == want else [_describe_agent_difference(have)]
    return context.decide_step(node, AGENT, want, have, differences)


def _describe_agent_difference(have: Mapping[str, object]) -> str:
    if not have.get("sha256"):
        return "node agent is not installed, will be installed"
    return "node agent will be upgraded"
