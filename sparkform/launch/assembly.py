"""From an engine's Rank to a Launch: the user's variables, and what the runtime adds."""

from __future__ import annotations

from sparkform.launch.native import build_native_files
from sparkform.launch.paths import CONTAINER_KEYS, get_keys_folder
from sparkform.launch.records import Launch, Mount, PortUse
from sparkform.launch.request import EngineRank, LaunchRequest
from sparkform.launch.variables import merge_variables
from sparkform.launch.vocabulary import build_entrypoint, build_vocabulary_file, needs_vocabulary

STOP_GRACE_S = 5
"""An engine that does not end within this is killed: a hung one must not keep the memory."""

INFINIBAND = "/dev/infiniband"
ULIMITS = {"memlock": -1, "stack": 64 * 1024**2}
"""NVIDIA/dgx-spark-playbooks@0db7c14, nvidia/trt-llm. Swarm takes them from dockerd's defaults."""

SHARED_MEMORY_BYTES = 16 * 1024**3
"""For Swarm, which can neither share the host's IPC nor size /dev/shm; 16 GiB is the least that
others set (mark-ramsey-ri/vllm-dgx-spark start_cluster.sh@0e64364). Only what is used counts."""


def build_launch(request: LaunchRequest, rank: EngineRank) -> Launch:
    """One rank, complete."""
    declared = request.declared
    environment = merge_variables(rank.variables, declared.environment)
    is_container = declared.runtime == "container"
    native_unit_files = (
        build_native_files(request, rank, environment, STOP_GRACE_S) if request.is_native else ()
    )
    has_vocabulary = needs_vocabulary(request)
    vocabulary_files = (build_vocabulary_file(),) if has_vocabulary else ()
    preparation = build_entrypoint(request) if has_vocabulary else ()
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
        entrypoint=(*preparation, "/bin/sh", request.start_script),
        argv=rank.argv,
        environment=environment,
        files=(*rank.files, *request.files, *vocabulary_files, *native_unit_files),
        secrets=rank.secrets,
        keys=rank.keys,
        mounts=_build_mounts(request, rank),
        devices=(INFINIBAND,) if is_container and request.has_several_ranks else (),
        ulimits=ULIMITS if is_container else {},
        shares_ipc=is_container,
        ports=(*rank.ports, _build_supervisor_port(request, rank)),
        stop_grace_s=STOP_GRACE_S,
        unproven=rank.unproven,
    )


def _build_supervisor_port(request: LaunchRequest, rank: EngineRank) -> PortUse:
    number, address = request.ports.supervisor, rank.member.address
    return PortUse(number=number, address=address, purpose="supervisor")


def _build_mounts(request: LaunchRequest, rank: EngineRank) -> tuple[Mount, ...]:
    """A native rank sees the node as it is."""
    if request.is_native:
        return ()
    memory = Mount(source=None, target="/dev/shm", read_only=False, size_bytes=SHARED_MEMORY_BYTES)
    keys = Mount(source=get_keys_folder(request.service), target=CONTAINER_KEYS)
    return (
        *request.locate_weights(rank.member).mounts,
        *((keys,) if rank.keys else ()),
        *((memory,) if request.declared.runtime == "swarm" else ()),
    )
