"""The steps that concern one node alone: agent, host settings, fabric addresses. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from node.host.plain import as_mapping
from sparkform.plan.context import PlanContext
from sparkform.plan.disturbance import Serving, mark_stopped_services
from sparkform.plan.steps import PlannedStep, describe_step, hold_step
from sparkform.plan.wants import AGENT, NodeInputs, NodeStep, list_node_steps
from sparkform.report.unknown import Unknown

NOT_ASKED = "the node was not asked for it; record the facts again"
NodeSteps = Mapping[str, PlannedStep]
"""By step name, in the order in which they can run; the agent first."""


def plan_nodes(context: PlanContext, agent_sha256: str, serving: Serving) -> dict[str, NodeSteps]:
    """By node name. `agent_sha256` is that of the agent that goes with this version."""
    return {
        node.name: _plan_node(context, node.name, agent_sha256, serving)
        for node in context.declaration.nodes
    }


def _plan_node(
    context: PlanContext, node: str, agent_sha256: str, serving: Serving
) -> dict[str, PlannedStep]:
    declared = context.declaration.get_node(node)
    has_fabric = context.declaration.cluster.fabric.topology != "none"
    if not context.is_present(node):
        names = [AGENT, *(step.spec.name for step in list_node_steps(declared, has_fabric))]
        return {name: hold_step(node, name) for name in names}
    report = context.reports[node]
    fabric = context.network.fabric[node]
    steps = {AGENT: _plan_agent(context, node, agent_sha256)}
    for step in list_node_steps(declared, has_fabric):
        runs = {name: planned.decision.run for name, planned in steps.items()}
        inputs = NodeInputs(context.declaration, declared, report, fabric, runs)
        before = [steps[AGENT], *(steps[name] for name in step.spec.after)]
        planned = context.plan_step(
            node,
            step.spec,
            step.build_want(inputs),
            observed=_find_unknown_want(context, node, step),
            before=before,
        )
        steps[step.spec.name] = mark_stopped_services(context, planned, serving)
    return steps


def _find_unknown_want(context: PlanContext, node: str, step: NodeStep) -> Unknown | None:
    """The fact without which it is not known what the step should be; or that the node has not
    looked, as facts that were recorded before a step was declared."""
    state = context.reports[node].read_step(step.spec.name)
    if step.is_declared and not (isinstance(state, Unknown) or as_mapping(state).get("asked")):
        return Unknown(f"step {step.spec.name}", NOT_ASKED)
    unread = context.network.find_unread(node) if step.follows_network else None
    if unread:
        return unread
    facts = step.swarm_facts if context.declaration.swarm_enabled else ()
    return context.find_unknown(node, *(f"fact {fact}" for fact in facts))


def _plan_agent(context: PlanContext, node: str, agent_sha256: str) -> PlannedStep:
    want, state = {"sha256": agent_sha256}, context.reports[node].read_step(AGENT)
    if isinstance(state, Unknown):
        return context.hold_unknown(node, AGENT, state)
    have = as_mapping(state)
    phrases = [] if have == want else [_describe_agent_difference(have)]
    return describe_step(context.get_record(node, AGENT), want, have, phrases)


def _describe_agent_difference(have: Mapping[str, object]) -> str:
    if not have.get("sha256"):
        return "node agent is not installed, will be installed"
    return "node agent will be upgraded"
