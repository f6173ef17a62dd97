"""What is planned for a whole rack: its steps by node, link, Swarm, transfer and service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkform.errors import Problem
from sparkform.fabric.network import Network
from sparkform.launch import Launch
from sparkform.plan.gateway import GatewayPlan
from sparkform.plan.links import LinkPlan
from sparkform.plan.models import ModelsPlan
from sparkform.plan.monitoring import MonitoringPlan
from sparkform.plan.nodes import NodeSteps
from sparkform.plan.services import ServicePlan
from sparkform.plan.steps import PlannedStep
from sparkform.plan.swarm import SwarmPlan
from sparkform.plan.transfer import Transfer


@dataclass(frozen=True)
class RackPlan:
    """`nodes` maps each node to its own steps, the agent first; `launches` each service to those of
    its ranks. `images` by service; `keys` by the node from which others fetch models or images.
    With `problems` none of it is done; `is_unread`: because too little was read."""

    network: Network
    launches: Mapping[str, tuple[Launch, ...]] = field(default_factory=dict)
    nodes: Mapping[str, NodeSteps] = field(default_factory=dict)
    links: tuple[LinkPlan, ...] = ()
    swarm: SwarmPlan | None = None
    models: ModelsPlan = field(default_factory=ModelsPlan)
    images: Mapping[str, Transfer] = field(default_factory=dict)
    keys: Mapping[str, PlannedStep] = field(default_factory=dict)
    services: Mapping[str, ServicePlan] = field(default_factory=dict)
    monitoring: MonitoringPlan | None = None
    gateway: GatewayPlan | None = None
    problems: tuple[Problem, ...] = ()
    is_unread: bool = False

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Every step of the rack, in the order of the nodes, and then those of the services."""
        steps = [step for node_steps in self.nodes.values() for step in node_steps.values()]
        steps += [step for link in self.links for step in link.checks.values()]
        if self.swarm:
            steps += self.swarm.steps
        steps += [*self.keys.values(), *self.models.steps]
        steps += [step for image in self.images.values() for step in image.all_steps]
        steps += [step for service in self.services.values() for step in service.steps]
        steps += self.monitoring.steps if self.monitoring else ()
        steps += self.gateway.steps if self.gateway else ()
        return tuple(steps)

    @property
    def unknown_lines(self) -> tuple[str, ...]:
        """What is left as it is because it was not read, a line for each step and service."""
        steps = [line for step in self.steps if step.unknown for line in step.lines]
        services = [service for service in self.services.values() if service.unknown]
        return (*steps, *(line for service in services for line in service.lines))

    @property
    def docker_nodes(self) -> tuple[str, ...]:
        """The nodes on which Docker is asked to start something: for Swarm ranks, the head."""
        names: dict[str, None] = {}
        for launch in (launch for ranks in self.launches.values() for launch in ranks):
            if launch.runtime == "container":
                names[launch.node] = None
            if launch.runtime == "swarm" and self.swarm:
                names[self.swarm.token.node] = None
        for beside in (self.monitoring, self.gateway):
            for container in beside.containers if beside else ():
                names[container.node] = None
        return tuple(names)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What of monitoring and gateway is not as one may expect."""
        monitoring = self.monitoring.notes if self.monitoring else ()
        return (*monitoring, *(self.gateway.remarks if self.gateway else ()))
