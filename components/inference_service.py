"""InferenceService: one served model. Policies read its props; what runs it stands below it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.container_ranks import create_container
from components.host_step import HostStep
from components.rack import RackResources
from components.ranks import RankRun, Secret
from components.run_log import RunLog
from components.swarm_ranks import create_swarm_service
from node.steps import STEPS
from sparkform.config import Declaration
from sparkform.config.groups import get_declared_name
from sparkform.plan.services import ServicePlan, StepStage
from sparkform.plan.steps import PlannedStep
from sparkform.rules.props import SERVICE_TYPE, build_service_props


class InferenceService(pulumi.ComponentResource):
    """Plain props (docs/design/config-and-rules.md); policies of the stack read the outputs."""

    def __init__(
        self,
        name: str,
        declaration: Declaration,
        secrets: Collection[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        props = build_service_props(declaration, name, secrets)
        super().__init__(SERVICE_TYPE, name, props, opts)
        self.register_outputs(props)


@dataclass(frozen=True)
class ServiceContext:
    """What every service stands on, and what says in the run's words what becomes of it."""

    rack: RackResources
    head: str
    owner: str
    docker: Mapping[str, docker.Provider]
    secret: Secret
    log: RunLog


def build_services(
    components: Mapping[str, InferenceService],
    plans: Mapping[str, ServicePlan],
    declaration: Declaration,
    context: ServiceContext,
) -> None:
    """Register what runs them, replicas below the component of their service. Engines that share a
    node start one after the other, since each takes what others allocate meanwhile for its own
    (vllm-project/vllm issue 35920)."""
    ready: dict[str, list[pulumi.Resource]] = {}
    for name, plan in plans.items():
        nodes = [launch.node for launch in plan.launches]
        neighbours = {other for node in nodes for other in declaration.list_neighbours(name, node)}
        earlier = [step for other in ready if other in neighbours for step in ready[other]]
        component = components[get_declared_name(name)]
        ready[name] = build_service(component, plan, context, earlier)


def build_service(
    component: InferenceService,
    plan: ServicePlan,
    context: ServiceContext,
    after: Sequence[pulumi.Resource],
) -> list[pulumi.Resource]:
    """Register each stage after the one before it. Returns what is there once it is ready."""
    context.log.add_service(plan.lines, plan.notes, plan.unknown is not None)
    builder = _Builder(component, plan, context)
    models = [f"model:{handle}" for handle in plan.models]
    requirements = [f"image:{get_declared_name(plan.launches[0].service)}", *models]
    dependencies = [
        *after,
        *context.rack.list_dependencies([launch.node for launch in plan.launches], requirements),
    ]
    created: dict[str, Mapping[str, HostStep]] = {}
    for stage in plan.preparation:
        created[stage.kind] = builder.create_stage(stage, dependencies, created)
        dependencies = [*dependencies, *created[stage.kind].values()]
    stop_steps = builder.create_stage(plan.stop_previous, dependencies, created, plan.token)
    members = [*builder.create_ranks(stop_steps), *builder.create_native_ranks(stop_steps)]
    for stage in plan.after:
        created[stage.kind] = builder.create_stage(stage, members, created)
        members = [*members, *created[stage.kind].values()]
    return members


@dataclass(frozen=True)
class _Builder:
    """One service's resources."""

    component: InferenceService
    plan: ServicePlan
    context: ServiceContext

    def create_stage(
        self,
        stage: StepStage,
        dependencies: Iterable[pulumi.Resource],
        created: Mapping[str, Mapping[str, HostStep]],
        token: str | None = None,
    ) -> dict[str, HostStep]:
        """The steps of one kind, by node. `made` are the stages before. What belongs to the node
        stands below the node, so that it outlives a service that is renamed."""
        prints_secret = STEPS[stage.kind].prints_secret
        options = pulumi.ResourceOptions(
            depends_on=list(dependencies),
            additional_secret_outputs=["stdout"] if prints_secret else None,
        )
        return {
            node: self.context.rack.nodes[node].create_step(
                planned,
                options,
                self._choose_parent(planned),
                self._build_extra_input(stage.kind, node, created),
                token,
            )
            for node, planned in stage.steps.items()
        }

    def _choose_parent(self, planned: PlannedStep) -> pulumi.Resource | None:
        return self.component if ":" in planned.step else None

    def create_ranks(self, stop_steps: Mapping[str, HostStep]) -> list[pulumi.Resource]:
        """The ranks that Docker runs."""
        context = self.context
        run = RankRun(
            token=self.plan.token,
            is_new=bool(self.plan.lines) and not self.plan.unknown,
            is_unknown=self.plan.unknown is not None,
            owner=context.owner,
            stop_steps=stop_steps,
            parent=self.component,
            head=context.head,
        )
        ranks: list[pulumi.Resource] = []
        for launch in self.plan.launches:
            if launch.runtime == "container":
                ranks.append(create_container(launch, run, context.docker[launch.node]))
            if launch.runtime == "swarm":
                provider, network = context.docker[context.head], self._get_network()
                ranks.append(create_swarm_service(launch, run, provider, network, context.secret))
        return ranks

    def create_native_ranks(self, stop_steps: Mapping[str, HostStep]) -> list[pulumi.Resource]:
        """The ranks that systemd runs, each deleted with its node's `stop_previous`."""
        return [
            self.context.rack.nodes[node].create_step(
                planned,
                pulumi.ResourceOptions(
                    depends_on=list(stop_steps.values()), deleted_with=stop_steps[node]
                ),
                self.component,
            )
            for node, planned in self.plan.members.steps.items()
        ]

    def _get_network(self) -> pulumi.Output[str]:
        network_step = self.context.rack.swarm_network
        assert network_step is not None, "a Swarm service is planned with its network"
        return network_step.stdout.apply(str.strip)

    def _build_extra_input(
        self, kind: str, node: str, created: Mapping[str, Mapping[str, HostStep]]
    ) -> pulumi.Output[str] | None:
        """What a step gets beside its document."""
        if kind == "launch_files":
            return self._build_secrets(node)
        if kind == "launch_peers":
            keys = {
                name: step.stdout.apply(str.strip) for name, step in created["launch_keys"].items()
            }
            return pulumi.Output.json_dumps(keys)
        if kind == "supervise":
            (key_step,) = created["supervision_key"].values()
            key: pulumi.Output[str] = pulumi.Output.secret(key_step.stdout)
            return key
        return None

    def _build_secrets(self, node: str) -> pulumi.Output[str] | None:
        """The secrets that a step writes on a node."""
        launches = [launch for launch in self.plan.launches if launch.node == node]
        names = sorted({file.secret for launch in launches for file in launch.secrets})
        if not names:
            return None
        return pulumi.Output.json_dumps({name: self.context.secret(name) for name in names})
