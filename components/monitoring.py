"""Monitoring: collectors, configuration, and the containers of Prometheus and those around it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.program_container import create_program_container
from components.rack import RackResources
from components.ranks import Secret
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
        names = (f"{NAME}-{container.program}", get_container_name(container.program))
        provider = providers[container.node]
        create_program_container(container, names, owner, component, provider, dependencies)


def _build_secrets(plan: MonitoringPlan, secret: Secret) -> pulumi.Output[str] | None:
    if not plan.secrets:
        return None
    values = {name: secret(name) for name in plan.secrets}
    return pulumi.Output.secret(pulumi.Output.json_dumps(values))
