"""The gateway: its files, its containers, and the certificate that its clients trust."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.program_container import create_program_container
from components.rack import RackResources
from components.ranks import Secret
from sparkform.config.checks.gateway import IMAGE
from sparkform.gateway.paths import get_container_name
from sparkform.plan.gateway import GatewayPlan

TYPE, NAME = "sparkform:index:Gateway", "gateway"
STOP_GRACE_S = 30
"""For requests under way where its container goes or is replaced."""


class RackGateway(pulumi.ComponentResource):
    """The parent of what clients meet. `certificate`: of the CA that they trust, as PEM; None where
    it is the user's own, or none."""

    certificate: pulumi.Output[str] | None = None

    def __init__(self, declared: Mapping[str, object], opts: pulumi.ResourceOptions) -> None:
        super().__init__(TYPE, NAME, dict(declared), opts)
        self.register_outputs({})


def build_gateway(
    component: RackGateway,
    plan: GatewayPlan,
    rack: RackResources,
    providers: Mapping[str, docker.Provider],
    owner: str,
    secret: Secret,
) -> None:
    """Containers start once their image and files are there, the routers before the edge."""
    node = rack.nodes[plan.files.node]
    values = {name: secret(name) for name in plan.secrets}
    stdin: pulumi.Output[str] = pulumi.Output.secret(pulumi.Output.json_dumps(values))
    files = node.create_step(plan.files, pulumi.ResourceOptions(), component, stdin)
    if plan.authority is not None:
        options = pulumi.ResourceOptions(depends_on=[files])
        component.certificate = node.create_step(plan.authority, options, component).stdout
    image = rack.transfers[plan.files.node, f"image:{IMAGE}"]
    started: list[pulumi.Resource] = [files, node.steps["docker_daemon"], image]
    for container in reversed(plan.containers):
        names = (f"{NAME}-{container.program}", get_container_name(container.program))
        provider = providers[container.node]
        started.append(
            create_program_container(
                container, names, owner, component, provider, started, STOP_GRACE_S
            )
        )
