"""The ranks of a service as Docker resources: containers on their nodes, or services of the Swarm.

Every rank is made anew with its slot and with nothing else: `replace_with` and `deleted_with` name
it (docs/decisions/0180). None restarts by itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import pulumi
import pulumi_docker as docker

from sparkform.planner.images import started_from
from sparkform.planner.launch.records import Launch, Mount
from sparkform.planner.service_steps import node_path
from sparkform.planner.wants import LABEL

LOG_LIMITS = {"max-size": "50m", "max-file": "4"}
"""An engine that logs every request must not fill the disk."""

ALL_GPUS = "NVIDIA_VISIBLE_DEVICES=all"
"""What an image may leave unsaid. In the Swarm the generic resource says it."""

ONE_GPU = ["NVIDIA_GPU=1"]
AT_ONCE = "0s"
"""Docker's own form: any other would be a change at every run (docs/stand-ins.md)."""

Secret = Callable[[str], pulumi.Output[str]]
"""From the key of a top-level secret to its value."""


@dataclass(frozen=True)
class Run:
    """One run of a service: what its ranks are labelled with, and what they come and go with."""

    token: str
    owner: str
    slots: Mapping[str, pulumi.Resource]
    parent: pulumi.Resource
    head: str

    def labels(self, launch: Launch) -> dict[str, str]:
        values = {
            "service": launch.service,
            "rank": str(launch.rank),
            "token": self.token,
            "owner": self.owner,
        }
        return {f"sparkform.{key}": value for key, value in values.items()}

    def options(self, slot: str, provider: docker.Provider) -> pulumi.ResourceOptions:
        """After every slot of the service; replaced and removed with that of node `slot`."""
        return pulumi.ResourceOptions(
            parent=self.parent,
            provider=provider,
            depends_on=list(self.slots.values()),
            deleted_with=self.slots[slot],
            replace_with=[self.slots[slot]],
            # The slot has made room: what is gone already must not be asked to go first.
            delete_before_replace=False,
        )


def member_name(launch: Launch) -> str:
    return f"sparkform-{launch.service}-{launch.rank}"


def container(launch: Launch, run: Run, provider: docker.Provider) -> docker.Container:
    """One rank as a plain container on its own node."""
    return docker.Container(
        f"{launch.service}-rank-{launch.rank}",
        name=member_name(launch),
        image=_image(launch),
        entrypoints=list(launch.entrypoint),
        command=list(launch.argv),
        envs=[ALL_GPUS, *(f"{name}={value}" for name, value in launch.environment.items())],
        user=launch.user,
        network_mode=launch.network,
        ipc_mode="host" if launch.shares_ipc else None,
        runtime="nvidia",
        mounts=_container_mounts(launch),
        devices=[docker.ContainerDeviceArgs(host_path=path) for path in launch.devices],
        ulimits=[
            docker.ContainerUlimitArgs(name=name, soft=value, hard=value)
            for name, value in launch.ulimits.items()
        ],
        labels=[
            docker.ContainerLabelArgs(label=label, value=value)
            for label, value in run.labels(launch).items()
        ],
        restart="no",
        must_run=True,
        destroy_grace_seconds=launch.stop_grace_s,
        log_driver="json-file",
        log_opts=LOG_LIMITS,
        opts=run.options(launch.node, provider),
    )


def _container_mounts(launch: Launch) -> list[docker.ContainerMountArgs]:
    """The launch's files and secrets lie on the node, and are seen where the engine looks."""
    files = {one.path: node_path(launch, one) for one in launch.files}
    secrets = {one.path: one.source for one in launch.secrets}
    return [
        *(
            docker.ContainerMountArgs(type="bind", source=source, target=target, read_only=True)
            for target, source in (files | secrets).items()
        ),
        *(
            docker.ContainerMountArgs(
                type="bind", source=one.source, target=one.target, read_only=one.read_only
            )
            for one in launch.mounts
            if one.source is not None
        ),
    ]


def swarm_service(
    launch: Launch,
    run: Run,
    provider: docker.Provider,
    network: pulumi.Input[str],
    secret: Secret,
) -> docker.Service:
    """One rank as a service of one task, placed on its node by label and by the GPU."""
    options = run.options(run.head, provider)
    labels = run.labels(launch)
    return docker.Service(
        f"{launch.service}-rank-{launch.rank}",
        name=member_name(launch),
        labels=[docker.ServiceLabelArgs(label=key, value=labels[key]) for key in labels],
        mode=docker.ServiceModeArgs(replicated=docker.ServiceModeReplicatedArgs(replicas=1)),
        task_spec=docker.ServiceTaskSpecArgs(
            container_spec=docker.ServiceTaskSpecContainerSpecArgs(
                image=_image(launch),
                commands=list(launch.entrypoint),
                args=list(launch.argv),
                env=dict(launch.environment),
                user=launch.user,
                labels=[
                    docker.ServiceTaskSpecContainerSpecLabelArgs(label=key, value=labels[key])
                    for key in labels
                ],
                mounts=[_service_mount(one) for one in launch.mounts],
                configs=_configs(launch, labels, options),
                secrets=_secrets(launch, labels, options, secret),
                stop_grace_period=f"{launch.stop_grace_s}s",
            ),
            resources=_one_gpu() if launch.gpus else None,
            restart_policy=docker.ServiceTaskSpecRestartPolicyArgs(
                condition="none", delay=AT_ONCE, window=AT_ONCE
            ),
            placement=docker.ServiceTaskSpecPlacementArgs(
                constraints=[f"node.labels.{LABEL} == {launch.node}"]
            ),
            networks_advanceds=[docker.ServiceTaskSpecNetworksAdvancedArgs(id=network)],
            log_driver=docker.ServiceTaskSpecLogDriverArgs(name="json-file", options=LOG_LIMITS),
        ),
        opts=options,
    )


def _one_gpu() -> docker.ServiceTaskSpecResourcesArgs:
    generic = docker.ServiceTaskSpecResourcesReservationGenericResourcesArgs(
        discrete_resources_specs=ONE_GPU
    )
    return docker.ServiceTaskSpecResourcesArgs(
        reservation=docker.ServiceTaskSpecResourcesReservationArgs(generic_resources=generic)
    )


def _service_mount(mount: Mount) -> docker.ServiceTaskSpecContainerSpecMountArgs:
    if mount.source is not None:
        return docker.ServiceTaskSpecContainerSpecMountArgs(
            type="bind", source=mount.source, target=mount.target, read_only=mount.read_only
        )
    size = docker.ServiceTaskSpecContainerSpecMountTmpfsOptionsArgs(size_bytes=mount.size_bytes)
    return docker.ServiceTaskSpecContainerSpecMountArgs(
        type="tmpfs", target=mount.target, tmpfs_options=size
    )


def _configs(
    launch: Launch, labels: Mapping[str, str], options: pulumi.ResourceOptions
) -> list[docker.ServiceTaskSpecContainerSpecConfigArgs]:
    made = {
        file: docker.ServiceConfig(
            f"{launch.service}-rank-{launch.rank}-{PurePosixPath(file.path).name}",
            name=_stored_name(launch, file.path),
            data=base64.b64encode(file.text.encode()).decode(),
            labels=[docker.ServiceConfigLabelArgs(label=key, value=labels[key]) for key in labels],
            opts=options,
        )
        for file in launch.files
    }
    return [
        docker.ServiceTaskSpecContainerSpecConfigArgs(
            config_id=one.id,
            config_name=one.name,
            file_name=file.path,
            file_mode=int(file.mode, 8),
        )
        for file, one in made.items()
    ]


def _secrets(
    launch: Launch, labels: Mapping[str, str], options: pulumi.ResourceOptions, secret: Secret
) -> list[docker.ServiceTaskSpecContainerSpecSecretArgs]:
    made = {
        file: docker.Secret(
            f"{launch.service}-rank-{launch.rank}-{PurePosixPath(file.path).name}",
            name=_stored_name(launch, file.path),
            data=secret(file.secret).apply(lambda text: base64.b64encode(text.encode()).decode()),
            labels=[docker.SecretLabelArgs(label=key, value=labels[key]) for key in labels],
            opts=options,
        )
        for file in launch.secrets
    }
    return [
        docker.ServiceTaskSpecContainerSpecSecretArgs(
            secret_id=one.id,
            secret_name=one.name,
            file_name=file.path,
            file_mode=int(file.mode, 8),
        )
        for file, one in made.items()
    ]


def _stored_name(launch: Launch, path: str) -> str:
    """Docker allows 64 characters, and a path may be as long as it likes."""
    short = hashlib.sha256(f"{member_name(launch)} {path}".encode()).hexdigest()[:12]
    return f"{member_name(launch)[:40]}-{short}"


def _image(launch: Launch) -> str:
    return str(started_from(launch))
