"""Monitoring: collectors, configuration, and the containers of Prometheus and those around it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.rack import RackResources
from components.ranks import LOG_LIMITS, Secret
from node.host import labels
from sparkform.monitoring.containers import ContainerPlan
from sparkform.monitoring.paths import get_container_name
from sparkform.plan.monitoring import IMAGE_PREFIX, MonitoringPlan

TYPE, NAME = "sparkform:index:Monitoring", "monitoring"


class RackMonitoring(pulumi.ComponentResource):
    """The parent of all that watches the rack."""

    def __init__(self, declared: Mapping[str, object], opts: pulumi.ResourceOptions) -> None:
        super().__init__(TYPE, NAME, dict(declared), opts)
        self.register_outputs({})


def build_monitoring(
    component: RackMonitoring,
    plan: MonitoringPlan,
    rack: RackResources,
    providers: Mapping[str, docker.Provider],
    owner: str,
    secret: Secret,
) -> None:
    """Containers start once their images, files and figures are there."""
    collectors = {
        node: rack.nodes[node].create_step(step, pulumi.ResourceOptions(), component)
        for node, step in plan.telemetry.items()
    }
    files = rack.nodes[plan.files.node].create_step(
        plan.files, pulumi.ResourceOptions(), component, _build_secrets(plan, secret)
    )
    for container in plan.containers:
        if container.node not in providers:
            continue
        node = rack.nodes[container.node]
        dependencies: list[pulumi.Resource] = [
            collectors[container.node],
            files,
            node.steps["docker_daemon"],
            rack.transfers[container.node, f"image:{IMAGE_PREFIX}{container.program}"],
        ]
        options = pulumi.ResourceOptions(
            parent=component,
            provider=providers[container.node],
            depends_on=dependencies,
            delete_before_replace=True,
        )
        _create_container(container, owner, options)


def _build_secrets(plan: MonitoringPlan, secret: Secret) -> pulumi.Output[str] | None:
    if not plan.secrets:
        return None
    values = {name: secret(name) for name in plan.secrets}
    return pulumi.Output.secret(pulumi.Output.json_dumps(values))


def _create_container(
    container: ContainerPlan, owner: str, options: pulumi.ResourceOptions
) -> docker.Container:
    """Unlike a rank it starts again by itself: nothing depends on when it does."""
    return docker.Container(
        f"{container.node}-{NAME}-{container.program}",
        name=get_container_name(container.program),
        image=container.image,
        command=list(container.command),
        envs=[f"{name}={value}" for name, value in container.environment.items()],
        user=container.user,
        network_mode="host",
        mounts=_build_mounts(container),
        labels=[docker.ContainerLabelArgs(label=labels.OWNER, value=owner)],
        restart="unless-stopped",
        must_run=True,
        log_driver="json-file",
        log_opts=LOG_LIMITS,
        opts=options,
    )


def _build_mounts(container: ContainerPlan) -> list[docker.ContainerMountArgs]:
    mounts = [
        docker.ContainerMountArgs(
            type="bind",
            source=mount.source,
            target=mount.target,
            read_only=True,
            bind_options=docker.ContainerMountBindOptionsArgs(propagation=mount.propagation)
            if mount.propagation
            else None,
        )
        for mount in container.mounts
    ]
    if container.volume is not None:
        volume = container.volume
        mounts.append(
            docker.ContainerMountArgs(type="volume", source=volume.name, target=volume.target)
        )
    return mounts
