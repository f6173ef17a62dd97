"""Docker Swarm: the head starts it, the other nodes join it, all are labelled. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.steps import swarm, swarm_labels, swarm_network, swarm_token
from sparkform.plan.context import PlanContext
from sparkform.plan.disturbance import Serving, mark_stopped_services
from sparkform.plan.nodes import NodeSteps
from sparkform.plan.steps import PlannedStep, hold_step
from sparkform.plan.wants import LABEL, build_labels_want, build_swarm_want
from sparkform.report.facts import NodeReport
from sparkform.report.unknown import Unknown

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


def plan_swarm(
    context: PlanContext, nodes: Mapping[str, NodeSteps], serving: Serving
) -> SwarmPlan | None:
    """None for a rack without Swarm."""
    if not context.declaration.swarm_enabled:
        return None
    head, services = context.declaration.head.name, context.declaration.services.values()
    first = _plan_member(context, head, [*nodes[head].values()], serving)
    members = {
        node.name: first
        if node.is_head
        else _plan_member(context, node.name, [*nodes[node.name].values(), first], serving)
        for node in context.declaration.nodes
    }
    run = first.decision.run
    return SwarmPlan(
        members=members,
        token=context.plan_step(
            head, swarm_token.SPEC, swarm_token.Want(swarm=run), before=[first]
        ),
        labels=_plan_labels(context, members),
        network=context.plan_step(head, swarm_network.SPEC, swarm_network.Want(run), before=[first])
        if any(service.runtime == "swarm" for service in services)
        else None,
    )


def _plan_member(
    context: PlanContext, node: str, before: Sequence[PlannedStep], serving: Serving
) -> PlannedStep:
    if not context.is_present(node):
        return hold_step(node, "swarm")
    declared = context.declaration.get_node(node)
    want = build_swarm_want(context.declaration, declared, context.network)
    observed = _read_membership(context, node)
    planned = context.plan_step(node, swarm.SPEC, want, observed=observed, before=before)
    planned = context.hold_unread_network(planned, node, context.declaration.head.name)
    return mark_stopped_services(context, planned, serving)


def _read_membership(context: PlanContext, node: str) -> swarm.Observed | Unknown:
    """A worker's beside that of its head, as far as that is known."""
    head = context.declaration.head.name
    observed = context.read_observed(node, swarm.SPEC)
    of_head = context.read_observed(head, swarm.SPEC)
    if node == head or isinstance(observed, Unknown) or isinstance(of_head, Unknown):
        return observed
    return swarm.add_head_cluster(observed, of_head.cluster)


def _plan_labels(context: PlanContext, members: Members) -> PlannedStep:
    hostnames = {
        node: _get_hostname(node, context.reports[node]) for node in context.network.management
    }
    runs = {hostname: members[node].decision.run for node, hostname in hostnames.items()}
    want = build_labels_want(hostnames, _list_hostnames_away(context), runs)
    return context.plan_step(
        context.declaration.head.name,
        swarm_labels.SPEC,
        want,
        observed=_find_unknown_names(context),
        before=members.values(),
    )


def _find_unknown_names(context: PlanContext) -> Unknown | None:
    """What was not read of the names by which Docker knows the nodes."""
    head = context.declaration.head.name
    is_whole = all(context.is_present(node.name) for node in context.declaration.nodes)
    in_swarm = None if is_whole else context.find_unknown(head, "fact swarm")
    hosts = (context.find_unknown(node, "fact host") for node in context.network.management)
    return in_swarm or next(filter(None, hosts), None)


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
