"""TensorRT-LLM on several nodes: a head with mpirun, workers with an SSH server of their own.

mpirun starts one rank a node through trtllm-llmapi-launch. The workers' sshd comes out of the
image: NVIDIA's has none (its playbook installs one at every start), so a layer with it is built
once on the head and spread like any image. Keys: docs/design/launches.md, "Launch keys".
"""

from __future__ import annotations

import hashlib

from sparkform.launch import scripts
from sparkform.launch.environment import (
    COMPILER_VARIABLES,
    MOFED_VARIABLES,
    Variable,
    build_mpi_variables,
    build_nccl_variables,
)
from sparkform.launch.members import ServiceMember
from sparkform.launch.paths import CONTAINER_FOLDER, CONTAINER_KEYS, get_keys_folder
from sparkform.launch.records import ImageLayer, KeyFile, KeyKind, LaunchFile, PortUse
from sparkform.launch.request import EngineRank, LaunchRequest

SSHD_COMMAND = ("/usr/sbin/sshd", "-D", "-e", "-f", f"{CONTAINER_FOLDER}/sshd_config")
LAYER_UNPROVEN = ("an SSH server added to NVIDIA's image as a layer: NVIDIA adds it at each start",)


def plan_mpi_ranks(
    request: LaunchRequest, command: tuple[str, ...], head_files: tuple[LaunchFile, ...]
) -> tuple[EngineRank, ...]:
    """`command` is trtllm-serve with its arguments; only rank 0 runs it and needs its files."""
    head, *workers = (_build_variables(request, member) for member in request.members)
    layer = build_image_layer(request.declared.image or "")
    unproven = LAYER_UNPROVEN + request.unproven
    return (
        EngineRank(
            member=request.head,
            argv=(
                *build_mpirun_command(len(request.members), _list_exported_names(request, head)),
                *command,
            ),
            variables=head,
            files=(*_build_shared_files(), *_build_head_files(request), *head_files),
            keys=_build_head_keys(request),
            ports=_build_head_ports(request),
            layer=layer,
            unproven=unproven,
        ),
        *(
            EngineRank(
                member=member,
                argv=SSHD_COMMAND,
                variables=variables,
                files=(*_build_shared_files(), *_build_worker_files(request, member)),
                keys=_build_worker_keys(request, member),
                ports=(_build_ssh_port(request, member),),
                layer=layer,
                unproven=unproven,
            )
            for member, variables in zip(request.members[1:], workers, strict=True)
        ),
    )


def _list_exported_names(request: LaunchRequest, variables: tuple[Variable, ...]) -> list[str]:
    """The names of all variables, planned or declared."""
    return sorted({variable.name for variable in variables} | set(request.declared.environment))


def build_mpirun_command(count: int, names: list[str]) -> tuple[str, ...]:
    """One rank a node, every variable exported; the launcher and its command follow.

    mpirun reaches up to 64 nodes by itself (plm_rsh's own radix), so only the head needs a key; its
    plm_rsh_no_tree_spawn, which says so outright, makes Open MPI 4.1.4 hang.
    """
    exported = [part for name in names for part in ("-x", name)]
    return (
        "mpirun",
        "-np",
        str(count),
        "--hostfile",
        f"{CONTAINER_FOLDER}/hostfile",
        "--map-by",
        "ppr:1:node",
        "--mca",
        "plm_rsh_agent",
        f"{CONTAINER_FOLDER}/ssh",
        *exported,
        f"{CONTAINER_FOLDER}/rank",
        "trtllm-llmapi-launch",
    )


def build_image_layer(image: str) -> ImageLayer:
    """The declared image with an SSH server; a no-op where it has one already."""
    dockerfile = (
        f"FROM {image}\n"
        "RUN test -x /usr/sbin/sshd || (apt-get update && DEBIAN_FRONTEND=noninteractive "
        "apt-get install -y --no-install-recommends openssh-server openssh-client && "
        "rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*)\n"
    )
    name = hashlib.sha256(dockerfile.encode()).hexdigest()[:16]
    return ImageLayer(reference=f"sparkform/launch:{name}", dockerfile=dockerfile)


def _build_variables(request: LaunchRequest, member: ServiceMember) -> tuple[Variable, ...]:
    return (
        *request.locate_weights(member).variables,
        *COMPILER_VARIABLES,
        *build_nccl_variables(member, request.topology),
        *build_mpi_variables(member, request.members),
        *(MOFED_VARIABLES if request.needs_rdma_from_runtime else ()),
    )


def _build_shared_files() -> tuple[LaunchFile, ...]:
    """mpirun's daemon looks for the agent on the workers too, though it has no use for it there."""
    return (
        LaunchFile(path=f"{CONTAINER_FOLDER}/rank", text=scripts.RANK_SCRIPT, mode="0555"),
        LaunchFile(path=f"{CONTAINER_FOLDER}/ssh", text=scripts.SSH_SCRIPT, mode="0555"),
    )


def _build_head_files(request: LaunchRequest) -> tuple[LaunchFile, ...]:
    hosts = "".join(f"{member.address} slots=1\n" for member in request.members)
    start = scripts.join_script(
        scripts.IMAGE_ENTRYPOINT,
        scripts.SAVE_ENVIRONMENT,
        scripts.WAIT_FOR_WORKERS,
        scripts.EXEC_ARGUMENTS,
    )
    return (
        LaunchFile(path=request.start_script, text=start, mode="0555", own=True),
        LaunchFile(path=f"{CONTAINER_FOLDER}/hostfile", text=hosts),
        LaunchFile(
            path=f"{CONTAINER_FOLDER}/ssh_config",
            text=scripts.render_ssh_config(request.ports.launch_ssh),
        ),
    )


def _build_worker_files(request: LaunchRequest, member: ServiceMember) -> tuple[LaunchFile, ...]:
    start = scripts.join_script(
        scripts.IMAGE_ENTRYPOINT, scripts.SAVE_ENVIRONMENT, scripts.RUN_SSHD
    )
    config = scripts.render_sshd_config(member.address, request.ports.launch_ssh)
    return (
        LaunchFile(path=f"{CONTAINER_FOLDER}/start", text=start, mode="0555", own=True),
        LaunchFile(path=f"{CONTAINER_FOLDER}/sshd_config", text=config, own=True),
    )


def _build_head_keys(request: LaunchRequest) -> tuple[KeyFile, ...]:
    port = request.ports.launch_ssh
    hosts = {f"[{worker.address}]:{port}": worker.node for worker in request.members[1:]}
    return (
        _build_key(request, "client_key", "0600", {}),
        _build_key(request, "known_hosts", "0644", hosts),
    )


def _build_worker_keys(request: LaunchRequest, member: ServiceMember) -> tuple[KeyFile, ...]:
    return (
        _build_key(request, "host_key", "0600", {}),
        _build_key(request, "authorized_keys", "0644", {request.head.address: request.head.node}),
    )


def _build_key(
    request: LaunchRequest, kind: KeyKind, mode: str, speaks_for: dict[str, str]
) -> KeyFile:
    return KeyFile(
        kind=kind,
        path=f"{CONTAINER_KEYS}/{kind}",
        source=f"{get_keys_folder(request.service)}/{kind}",
        mode=mode,
        speaks_for=speaks_for,
    )


def _build_ssh_port(request: LaunchRequest, member: ServiceMember) -> PortUse:
    number = request.ports.launch_ssh
    return PortUse(number=number, address=member.address, purpose="launch SSH")


def _build_head_ports(request: LaunchRequest) -> tuple[PortUse, ...]:
    declared = request.declared
    return (PortUse(number=declared.port, address=declared.bind, purpose="API"),)
