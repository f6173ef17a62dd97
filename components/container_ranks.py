"""The ranks of a service as plain containers, each on its own node."""

from __future__ import annotations

import pulumi_docker as docker

from components.ranks import LOG_LIMITS, Run, member_image, member_name
from sparkform.launch.records import Launch
from sparkform.plan.service_steps import node_path

ALL_GPUS = "NVIDIA_VISIBLE_DEVICES=all"
"""What an image may leave unsaid. In the Swarm the generic resource says it."""


def container(launch: Launch, run: Run, provider: docker.Provider) -> docker.Container:
    """One rank as a plain container on its own node."""
    return docker.Container(
        f"{launch.service}-rank-{launch.rank}",
        name=member_name(launch),
        image=member_image(launch),
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
