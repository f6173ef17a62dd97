"""InferenceService: one served model. Policies read its props; what runs it stands below it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.container_ranks import container
from components.host_step import HostStep
from components.rack import Built
from components.ranks import Run, Secret
from components.swarm_ranks import swarm_service
from sparkform.config import Spec
from sparkform.plan.services import ServicePlan, Stage
from sparkform.plan.steps import PlannedStep
from sparkform.rules.props import SERVICE_TYPE, service_props


class InferenceService(pulumi.ComponentResource):
    """Plain props (docs/design/config-and-rules.md); policies of the stack read the outputs."""

    def __init__(
        self, name: str, spec: Spec, secrets: Collection[str], opts: pulumi.ResourceOptions
    ) -> None:
        props = service_props(spec, name, secrets)
        super().__init__(SERVICE_TYPE, name, props, opts)
        self.register_outputs(props)


@dataclass(frozen=True)
class Ground:
    """What every service stands on: the rack, Docker on its nodes, the stack's secrets."""

    built: Built
    head: str
    owner: str
    docker: Mapping[str, docker.Provider]
    secret: Secret


def build_service(component: InferenceService, plan: ServicePlan, ground: Ground) -> None:
    """Register what runs the service: each stage after the one before it."""
    for line in plan.lines:
        pulumi.log.info(line, component)
    builder = _Builder(component, plan, ground)
    models = [f"model:{handle}" for handle in plan.models]
    needed = [f"image:{plan.launches[0].service}", *models]
    below = ground.built.below([launch.node for launch in plan.launches], needed)
    made: dict[str, Mapping[str, HostStep]] = {}
    for stage in plan.before:
        made[stage.kind] = builder.stage(stage, below, made)
        below = [*below, *made[stage.kind].values()]
    slots = builder.stage(plan.slot, below, made, plan.token)
    members = [*builder.members(slots), *builder.native(slots)]
    for stage in plan.after:
        members = [*members, *builder.stage(stage, members, made).values()]


@dataclass(frozen=True)
class _Builder:
    """One service's resources."""

    component: InferenceService
    plan: ServicePlan
    ground: Ground

    def stage(
        self,
        stage: Stage,
        below: Iterable[pulumi.Resource],
        made: Mapping[str, Mapping[str, HostStep]],
        token: str | None = None,
    ) -> dict[str, HostStep]:
        """The steps of one kind, by node. `made` are the stages before. What belongs to the node
        stands below the node, so that it outlives a service that is renamed."""
        options = pulumi.ResourceOptions(depends_on=list(below))
        return {
            node: self.ground.built.nodes[node].host_step(
                planned, options, self._parent(planned), self._beside(stage.kind, node, made), token
            )
            for node, planned in stage.steps.items()
        }

    def _parent(self, planned: PlannedStep) -> pulumi.Resource | None:
        return self.component if ":" in planned.step else None

    def members(self, slots: Mapping[str, HostStep]) -> list[pulumi.Resource]:
        """The ranks that Docker runs."""
        ground = self.ground
        run = Run(self.plan.token, ground.owner, slots, self.component, ground.head)
        made: list[pulumi.Resource] = []
        for launch in self.plan.launches:
            if launch.runtime == "container":
                made.append(container(launch, run, ground.docker[launch.node]))
            if launch.runtime == "swarm":
                provider, network = ground.docker[ground.head], self._network()
                made.append(swarm_service(launch, run, provider, network, ground.secret))
        return made

    def native(self, slots: Mapping[str, HostStep]) -> list[pulumi.Resource]:
        """The ranks that systemd runs, each deleted with its node's slot."""
        return [
            self.ground.built.nodes[node].host_step(
                planned,
                pulumi.ResourceOptions(depends_on=list(slots.values()), deleted_with=slots[node]),
                self.component,
            )
            for node, planned in self.plan.members.steps.items()
        ]

    def _network(self) -> pulumi.Output[str]:
        printed = self.ground.built.swarm_network
        assert printed is not None, "a Swarm service is planned with its network"
        return printed.stdout.apply(str.strip)

    def _beside(
        self, kind: str, node: str, made: Mapping[str, Mapping[str, HostStep]]
    ) -> pulumi.Output[str] | None:
        """What a step gets beside its document."""
        if kind == "launch_files":
            return self._secrets(node)
        if kind == "launch_peers":
            keys = {name: one.stdout.apply(str.strip) for name, one in made["launch_keys"].items()}
            return pulumi.Output.json_dumps(keys)
        return None

    def _secrets(self, node: str) -> pulumi.Output[str] | None:
        """The secrets that a step writes on a node."""
        own = [launch for launch in self.plan.launches if launch.node == node]
        names = sorted({file.secret for launch in own for file in launch.secrets})
        if not names:
            return None
        return pulumi.Output.json_dumps({name: self.ground.secret(name) for name in names})
