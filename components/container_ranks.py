"""The ranks of a service as plain containers, each on its own node."""

from __future__ import annotations

import pulumi_docker as docker

from components.ranks import LOG_LIMITS, RankRun, get_member_image
from sparkform.launch.paths import get_rank_name
from sparkform.launch.records import Launch
from sparkform.plan.service_steps import get_node_path

ALL_GPUS = "NVIDIA_VISIBLE_DEVICES=all"
"""What an image may leave unsaid. In the Swarm the generic resource says it."""


def create_container(launch: Launch, run: RankRun, provider: docker.Provider) -> docker.Container:
    """One rank as a plain container on its own node."""
    return docker.Container(
        f"{launch.service}-rank-{launch.rank}",
        name=get_rank_name(launch.service, launch.rank),
        image=get_member_image(launch),
        entrypoints=list(launch.entrypoint),
        command=list(launch.argv),
        envs=[ALL_GPUS, *(f"{name}={value}" for name, value in launch.environment.items())],
        user=launch.user,
        network_mode=launch.network,
        ipc_mode="host" if launch.shares_ipc else None,
        runtime="nvidia",
        mounts=_build_mounts(launch),
        devices=[docker.ContainerDeviceArgs(host_path=path) for path in launch.devices],
        ulimits=[
            docker.ContainerUlimitArgs(name=name, soft=value, hard=value)
            for name, value in launch.ulimits.items()
        ],
        labels=[
            docker.ContainerLabelArgs(label=label, value=value)
            for label, value in run.build_labels(launch).items()
        ],
        restart="no",
        # A stopped one is no drift to Pulumi: it would start this rank alone, after a refresh.
        must_run=False,
        start=True,
        destroy_grace_seconds=launch.stop_grace_s,
        log_driver="json-file",
        log_opts=LOG_LIMITS,
        opts=run.build_rank_options(launch.node, provider),
    )


def _build_mounts(launch: Launch) -> list[docker.ContainerMountArgs]:
    """The launch's files and secrets lie on the node, and are seen where the engine looks."""
    files = {mount.path: get_node_path(launch, mount) for mount in launch.files}
    secrets = {mount.path: mount.source for mount in launch.secrets}
    return [
        *(
            docker.ContainerMountArgs(type="bind", source=source, target=target, read_only=True)
            for target, source in (files | secrets).items()
        ),
        *(
            docker.ContainerMountArgs(
                type="bind", source=mount.source, target=mount.target, read_only=mount.read_only
            )
            for mount in launch.mounts
            if mount.source is not None
        ),
    ]
