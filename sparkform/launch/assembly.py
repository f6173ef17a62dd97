"""From an engine's Rank to a Launch: the user's variables, and what the runtime adds."""

from __future__ import annotations

from sparkform.launch.native import native_files
from sparkform.launch.places import INSIDE_KEYS, keys_folder
from sparkform.launch.records import Launch, Mount
from sparkform.launch.request import Rank, Request
from sparkform.launch.variables import merged

STOP_GRACE_S = 5
"""An engine that does not end within this is killed: a hung one must not keep the memory."""

INFINIBAND = "/dev/infiniband"
ULIMITS = {"memlock": -1, "stack": 64 * 1024**2}
"""NVIDIA/dgx-spark-playbooks@0db7c14, nvidia/trt-llm. Swarm takes them from dockerd's defaults."""

SHARED_MEMORY_BYTES = 16 * 1024**3
"""For Swarm, which can neither share the host's IPC nor size /dev/shm; 16 GiB is the least that
others set (mark-ramsey-ri/vllm-dgx-spark start_cluster.sh@0e64364). Only what is used counts."""


def launch(request: Request, rank: Rank) -> Launch:
    """One rank, complete."""
    declared = request.declared
    environment = merged(rank.variables, declared.environment)
    is_container = declared.runtime == "container"
    native = native_files(request, rank, environment, STOP_GRACE_S) if request.is_native else ()
    return Launch(
        service=request.service,
        name=f"{request.service}-{rank.member.rank}",
        node=rank.member.node,
        rank=rank.member.rank,
        role="head" if rank.member.rank == 0 else "worker",
        engine=declared.engine,
        runtime=declared.runtime,
        image=declared.image,
        layer=rank.layer,
        user=rank.member.user if request.is_native else "root",
        entrypoint=("/bin/sh", request.start),
        argv=rank.argv,
        environment=environment,
        files=(*rank.files, *native),
        secrets=rank.secrets,
        keys=rank.keys,
        mounts=_mounts(request, rank),
        devices=(INFINIBAND,) if is_container and request.is_several else (),
        ulimits=ULIMITS if is_container else {},
        shares_ipc=is_container,
        ports=rank.ports,
        stop_grace_s=STOP_GRACE_S,
        unproven=rank.unproven,
    )


def _mounts(request: Request, rank: Rank) -> tuple[Mount, ...]:
    """A native rank sees the node as it is."""
    if request.is_native:
        return ()
    memory = Mount(source=None, target="/dev/shm", read_only=False, size_bytes=SHARED_MEMORY_BYTES)
    keys = Mount(source=keys_folder(request.service), target=INSIDE_KEYS)
    return (
        *request.weights(rank.member).mounts,
        *((keys,) if rank.keys else ()),
        *((memory,) if request.declared.runtime == "swarm" else ()),
    )
