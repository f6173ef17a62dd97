"""The whole rack, decided part by part in the order in which it is built. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sparkform.config import Declaration
from sparkform.fabric.network import Reports, plan_network
from sparkform.launch import Launch, plan_launches
from sparkform.plan.context import PlanContext
from sparkform.plan.disturbance import Serving
from sparkform.plan.images import plan_images
from sparkform.plan.links import plan_links
from sparkform.plan.models import plan_models
from sparkform.plan.monitoring import plan_monitoring
from sparkform.plan.nodes import plan_nodes
from sparkform.plan.preflight import Preflight
from sparkform.plan.problems import (
    find_problems,
    find_silent_docker,
    find_unread_items,
    find_unstarted_services,
)
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.secrets import NO_SECRETS, StackSecrets
from sparkform.plan.service_state import (
    get_service_state,
    list_services_by_node,
    list_unclear_services,
)
from sparkform.plan.services import plan_services
from sparkform.plan.steps import StackName
from sparkform.plan.swarm import plan_swarm
from sparkform.plan.transfer import plan_keys


def plan_rack(
    declaration: Declaration,
    reports: Reports,
    stack: StackName,
    agent_sha256: str,
    secrets: StackSecrets = NO_SECRETS,
) -> RackPlan:
    """Problems instead of steps where the declaration does not fit the machines.

    `agent_sha256` is that of the agent that goes with this version.
    """
    network, network_problems = plan_network(declaration, reports)
    unread = tuple(find_unread_items(declaration, reports))
    if unread:
        return RackPlan(network, problems=unread, is_unread=True)
    context = PlanContext(declaration, network, reports, stack)
    problems = (*network_problems, *find_problems(context, secrets))
    if problems:
        return RackPlan(network, problems=problems)
    launches = plan_launches(declaration, network, reports, secrets.names)
    if launches.problems:
        return RackPlan(network, problems=launches.problems)
    return _plan_steps(context, launches.services, agent_sha256, secrets)


def _plan_steps(
    context: PlanContext,
    launches: Mapping[str, tuple[Launch, ...]],
    agent_sha256: str,
    secrets: StackSecrets,
) -> RackPlan:
    states = {name: get_service_state(name, context) for name in launches}
    services_by_node = list_services_by_node(states, context.reports)
    serving = Serving(services_by_node, list_unclear_services(context))
    nodes = plan_nodes(context, agent_sha256, serving)
    node_steps = [step for steps in nodes.values() for step in steps.values()]
    models = plan_models(context, node_steps)
    monitoring = plan_monitoring(context, secrets, node_steps)
    images = plan_images(context, launches, node_steps)
    images |= monitoring.images if monitoring else {}
    rack = RackPlan(
        network=context.network,
        launches=launches,
        nodes=nodes,
        links=plan_links(context, nodes),
        swarm=plan_swarm(context, nodes, serving),
        models=models,
        images=images,
        keys=plan_keys(context, [*models.transfers.values(), *images.values()]),
        monitoring=monitoring,
    )
    rack = replace(rack, services=plan_services(context, launches, states, rack.steps, secrets))
    silent = find_silent_docker(context.declaration, context.reports, rack.docker_nodes)
    unread = (*silent, *find_unstarted_services(rack.services))
    preflight = Preflight(context.declaration, context.network, context.reports, nodes, states)
    problems = (*unread, *preflight.find_problems(rack.services))
    return replace(rack, problems=problems, is_unread=bool(unread))
