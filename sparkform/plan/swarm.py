"""Docker Swarm: the head starts it, the other nodes join it, all are labelled. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.steps import swarm, swarm_labels, swarm_network, swarm_token
from sparkform.plan.context import PlanContext
from sparkform.plan.disturbance import ServicesByNode, mark_stopped_services
from sparkform.plan.steps import PlannedStep, hold_step
from sparkform.plan.wants import LABEL, build_labels_want, build_swarm_want
from sparkform.report.facts import NodeReport

Members = Mapping[str, PlannedStep]


@dataclass(frozen=True)
class SwarmPlan:
    """`members` holds every node, the head included; `network` is for services in the Swarm."""

    members: Members
    token: PlannedStep
    labels: PlannedStep
    network: PlannedStep | None = None

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        steps = (*self.members.values(), self.token, self.labels)
        return (*steps, self.network) if self.network else steps


def plan_swarm(context: PlanContext, serving: ServicesByNode) -> SwarmPlan | None:
    """None for a rack without Swarm."""
    if not context.declaration.swarm_enabled:
        return None
    members = {
        node.name: mark_stopped_services(_plan_member(context, node.name), serving)
        for node in context.declaration.nodes
    }
    head, services = context.declaration.head.name, context.declaration.services.values()
    run = members[head].decision.run
    return SwarmPlan(
        members=members,
        token=context.plan_step(head, swarm_token.SPEC, swarm_token.Want(swarm=run)),
        labels=_plan_labels(context, members),
        network=context.plan_step(head, swarm_network.SPEC, swarm_network.Want(run))
        if any(service.runtime == "swarm" for service in services)
        else None,
    )


def _plan_member(context: PlanContext, node: str) -> PlannedStep:
    if not context.is_present(node):
        return hold_step(node, "swarm")
    head, observed = context.declaration.head.name, context.read_observed(node, swarm.SPEC)
    if node != head:
        cluster = context.read_observed(head, swarm.SPEC).cluster
        observed = swarm.add_head_cluster(observed, cluster)
    declared = context.declaration.get_node(node)
    want = build_swarm_want(context.declaration, declared, context.network)
    return context.plan_step(node, swarm.SPEC, want, observed=observed)


def _plan_labels(context: PlanContext, members: Members) -> PlannedStep:
    hostnames = {
        node: _get_hostname(node, context.reports[node]) for node in context.network.management
    }
    runs = {hostname: members[node].decision.run for node, hostname in hostnames.items()}
    want = build_labels_want(hostnames, _list_hostnames_away(context), runs)
    return context.plan_step(context.declaration.head.name, swarm_labels.SPEC, want)


def _list_hostnames_away(context: PlanContext) -> list[str]:
    """By the label that they were given: they cannot be queried now."""
    swarm_facts = context.reports[context.declaration.head.name].facts.swarm
    nodes = context.declaration.nodes
    away = {node.name for node in nodes if not context.is_present(node.name)}
    return sorted(
        swarm_node.hostname or ""
        for swarm_node in (swarm_facts.nodes if swarm_facts else None) or ()
        if swarm_node.labels.get(LABEL) in away
    )


def _get_hostname(node: str, report: NodeReport) -> str:
    return report.facts.host.hostname if report.facts.host else node
