"""What is planned for a whole rack: its steps by node, link, Swarm, transfer and service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkform.errors import Problem
from sparkform.fabric.network import Network
from sparkform.fabric.topology import Cable
from sparkform.plan.images import ImagePlan
from sparkform.plan.models import ModelsPlan
from sparkform.plan.services import (
    ServicePlan,
)
from sparkform.plan.steps import PlannedStep

CHECK = "fabric_check"
"""One instance a port: on a ring each node checks two cables."""


@dataclass(frozen=True)
class LinkPlan:
    """One cable and its check from each end."""

    cable: Cable
    checks: Mapping[str, PlannedStep]


@dataclass(frozen=True)
class SwarmPlan:
    """`members` holds every node, the head included; `network` is for services in the Swarm."""

    members: Mapping[str, PlannedStep]
    token: PlannedStep
    labels: PlannedStep
    network: PlannedStep | None = None

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        steps = (*self.members.values(), self.token, self.labels)
        return (*steps, self.network) if self.network else steps


@dataclass(frozen=True)
class RackPlan:
    """`nodes` maps each node to its own steps, the agent first. `images` by service; `keys` by the
    node from which others fetch models or images."""

    network: Network
    nodes: Mapping[str, Mapping[str, PlannedStep]]
    links: tuple[LinkPlan, ...] = ()
    swarm: SwarmPlan | None = None
    models: ModelsPlan = field(default_factory=ModelsPlan)
    images: Mapping[str, ImagePlan] = field(default_factory=dict)
    keys: Mapping[str, PlannedStep] = field(default_factory=dict)
    services: Mapping[str, ServicePlan] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

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
        return tuple(steps)

    @property
    def docker_nodes(self) -> tuple[str, ...]:
        """The nodes on which Docker is asked to start ranks: for the Swarm's, the head."""
        names: dict[str, None] = {}
        for launch in (
            rank_launch for service in self.services.values() for rank_launch in service.launches
        ):
            if launch.runtime == "container":
                names[launch.node] = None
            if launch.runtime == "swarm" and self.swarm:
                names[self.swarm.token.node] = None
        return tuple(names)
