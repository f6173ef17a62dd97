"""The ranks of a service as services of the Swarm, with their files as configs and secrets."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

import pulumi
import pulumi_docker as docker

from components.ranks import LOG_LIMITS, RankRun, Secret, get_member_image
from sparkform.launch.paths import get_rank_name
from sparkform.launch.records import Launch, Mount
from sparkform.plan.wants import LABEL

ONE_GPU = ["NVIDIA_GPU=1"]
AT_ONCE = "0s"
"""Docker's own form: any other would be a change at every run (docs/toolchain.md)."""


def create_swarm_service(
    launch: Launch,
    run: RankRun,
    provider: docker.Provider,
    network: pulumi.Input[str],
    secret: Secret,
) -> docker.Service:
    """One rank as a service of one task, placed on its node by label and by the GPU."""
    options = run.build_options(run.head, provider)
    labels = run.build_labels(launch)
    return docker.Service(
        f"{launch.service}-rank-{launch.rank}",
        name=get_rank_name(launch.service, launch.rank),
        labels=[docker.ServiceLabelArgs(label=key, value=labels[key]) for key in labels],
        mode=docker.ServiceModeArgs(replicated=docker.ServiceModeReplicatedArgs(replicas=1)),
        task_spec=docker.ServiceTaskSpecArgs(
            container_spec=docker.ServiceTaskSpecContainerSpecArgs(
                image=get_member_image(launch),
                commands=list(launch.entrypoint),
                args=list(launch.argv),
                env=dict(launch.environment),
                user=launch.user,
                labels=[
                    docker.ServiceTaskSpecContainerSpecLabelArgs(label=key, value=labels[key])
                    for key in labels
                ],
                mounts=[_build_mount(mount) for mount in launch.mounts],
                configs=_create_configs(launch, labels, options),
                secrets=_create_secrets(launch, labels, options, secret),
                stop_grace_period=f"{launch.stop_grace_s}s",
            ),
            resources=_reserve_one_gpu() if launch.gpus else None,
            restart_policy=docker.ServiceTaskSpecRestartPolicyArgs(
                condition="none", delay=AT_ONCE, window=AT_ONCE
            ),
            placement=docker.ServiceTaskSpecPlacementArgs(
                constraints=[f"node.labels.{LABEL} == {launch.node}"]
            ),
            networks_advanceds=[docker.ServiceTaskSpecNetworksAdvancedArgs(id=network)],
            log_driver=docker.ServiceTaskSpecLogDriverArgs(name="json-file", options=LOG_LIMITS),
        ),
        opts=run.build_rank_options(run.head, provider),
    )


def _reserve_one_gpu() -> docker.ServiceTaskSpecResourcesArgs:
    generic = docker.ServiceTaskSpecResourcesReservationGenericResourcesArgs(
        discrete_resources_specs=ONE_GPU
    )
    return docker.ServiceTaskSpecResourcesArgs(
        reservation=docker.ServiceTaskSpecResourcesReservationArgs(generic_resources=generic)
    )


def _build_mount(mount: Mount) -> docker.ServiceTaskSpecContainerSpecMountArgs:
    if mount.source is not None:
        return docker.ServiceTaskSpecContainerSpecMountArgs(
            type="bind", source=mount.source, target=mount.target, read_only=mount.read_only
        )
    size = docker.ServiceTaskSpecContainerSpecMountTmpfsOptionsArgs(size_bytes=mount.size_bytes)
    return docker.ServiceTaskSpecContainerSpecMountArgs(
        type="tmpfs", target=mount.target, tmpfs_options=size
    )


def _create_configs(
    launch: Launch, labels: Mapping[str, str], options: pulumi.ResourceOptions
) -> list[docker.ServiceTaskSpecContainerSpecConfigArgs]:
    configs = {
        file: docker.ServiceConfig(
            f"{launch.service}-rank-{launch.rank}-{PurePosixPath(file.path).name}",
            name=_format_stored_name(launch, file.path),
            data=base64.b64encode(file.text.encode()).decode(),
            labels=[docker.ServiceConfigLabelArgs(label=key, value=labels[key]) for key in labels],
            opts=options,
        )
        for file in launch.files
    }
    return [
        docker.ServiceTaskSpecContainerSpecConfigArgs(
            config_id=config.id,
            config_name=config.name,
            file_name=file.path,
            file_mode=int(file.mode, 8),
        )
        for file, config in configs.items()
    ]


def _create_secrets(
    launch: Launch, labels: Mapping[str, str], options: pulumi.ResourceOptions, secret: Secret
) -> list[docker.ServiceTaskSpecContainerSpecSecretArgs]:
    secrets = {
        file: docker.Secret(
            f"{launch.service}-rank-{launch.rank}-{PurePosixPath(file.path).name}",
            name=_format_stored_name(launch, file.path),
            data=secret(file.secret).apply(lambda text: base64.b64encode(text.encode()).decode()),
            labels=[docker.SecretLabelArgs(label=key, value=labels[key]) for key in labels],
            opts=options,
        )
        for file in launch.secrets
    }
    return [
        docker.ServiceTaskSpecContainerSpecSecretArgs(
            secret_id=stored.id,
            secret_name=stored.name,
            file_name=file.path,
            file_mode=int(file.mode, 8),
        )
        for file, stored in secrets.items()
    ]


def _format_stored_name(launch: Launch, path: str) -> str:
    """Docker allows 64 characters, and a path may be as long as it likes."""
    name = get_rank_name(launch.service, launch.rank)
    short = hashlib.sha256(f"{name} {path}".encode()).hexdigest()[:12]
    return f"{name[:40]}-{short}"
