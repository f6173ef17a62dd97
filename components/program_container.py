"""Containers of programs beside the services: unlike ranks they start again by themselves."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.ranks import LOG_LIMITS
from node.host import labels
from sparkform.monitoring.containers import ContainerPlan


def create_program_container(
    container: ContainerPlan,
    names: tuple[str, str],
    owner: str,
    parent: pulumi.Resource,
    provider: docker.Provider,
    dependencies: Sequence[pulumi.Resource],
    grace_s: int | None = None,
) -> docker.Container:
    """`names`: of the resource below its node, and of the container. `grace_s`: how long it may
    take to end; Docker's own ten seconds where None. The old one goes first: it has the port."""
    resource, name = names
    options = pulumi.ResourceOptions(
        parent=parent,
        provider=provider,
        depends_on=list(dependencies),
        delete_before_replace=True,
    )
    return docker.Container(
        f"{container.node}-{resource}",
        name=name,
        image=container.image,
        command=list(container.command),
        envs=[f"{key}={value}" for key, value in container.environment.items()],
        user=container.user,
        network_mode="host",
        mounts=_build_mounts(container),
        labels=[docker.ContainerLabelArgs(label=labels.OWNER, value=owner)],
        restart="unless-stopped",
        must_run=True,
        destroy_grace_seconds=grace_s,
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
            read_only=mount.is_read_only,
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
