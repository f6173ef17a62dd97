"""TensorRT-LLM on several nodes: a head with mpirun, workers with an SSH server of their own.

mpirun starts one rank a node through trtllm-llmapi-launch. The workers' sshd comes out of the
image: NVIDIA's has none (its playbook installs one at every start), so a layer with it is built
once on the head and spread like any image. Keys: docs/design/launches.md, "Launch keys".
"""

from __future__ import annotations

import hashlib

from sparkform.launch import scripts
from sparkform.launch.environment import COMPILER, MOFED, Variable, mpi_variables, nccl_variables
from sparkform.launch.members import Member
from sparkform.launch.places import INSIDE, INSIDE_KEYS, keys_folder
from sparkform.launch.records import ImageLayer, KeyFile, KeyKind, LaunchFile, PortUse
from sparkform.launch.request import Rank, Request

SSH_PORT = 2233
"""As in NVIDIA's playbook (trtllm-mn-entrypoint.sh)."""

SSHD = ("/usr/sbin/sshd", "-D", "-e", "-f", f"{INSIDE}/sshd_config")
LAYER_UNPROVEN = ("an SSH server added to NVIDIA's image as a layer: NVIDIA adds it at each start",)


def mpi_ranks(
    request: Request, command: tuple[str, ...], head_files: tuple[LaunchFile, ...]
) -> tuple[Rank, ...]:
    """`command` is trtllm-serve with its arguments; only rank 0 runs it and needs its files."""
    head, *workers = (_variables(request, member) for member in request.members)
    layer = image_layer(request.declared.image or "")
    unproven = LAYER_UNPROVEN + request.unproven
    return (
        Rank(
            member=request.head,
            argv=(*mpirun(len(request.members), _exported(request, head)), *command),
            variables=head,
            files=(*_shared_files(), *_head_files(request), *head_files),
            keys=_head_keys(request),
            ports=_head_ports(request),
            layer=layer,
            unproven=unproven,
        ),
        *(
            Rank(
                member=member,
                argv=SSHD,
                variables=variables,
                files=(*_shared_files(), *_worker_files(member)),
                keys=_worker_keys(request, member),
                ports=(PortUse(number=SSH_PORT, address=member.address, purpose="launch SSH"),),
                layer=layer,
                unproven=unproven,
            )
            for member, variables in zip(request.members[1:], workers, strict=True)
        ),
    )


def _exported(request: Request, variables: tuple[Variable, ...]) -> list[str]:
    """The names of all variables, planned or declared."""
    return sorted({one.name for one in variables} | set(request.declared.environment))


def mpirun(count: int, names: list[str]) -> tuple[str, ...]:
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
        f"{INSIDE}/hostfile",
        "--map-by",
        "ppr:1:node",
        "--mca",
        "plm_rsh_agent",
        f"{INSIDE}/ssh",
        *exported,
        f"{INSIDE}/rank",
        "trtllm-llmapi-launch",
    )


def image_layer(image: str) -> ImageLayer:
    """The declared image with an SSH server; a no-op where it has one already."""
    dockerfile = (
        f"FROM {image}\n"
        "RUN test -x /usr/sbin/sshd || (apt-get update && DEBIAN_FRONTEND=noninteractive "
        "apt-get install -y --no-install-recommends openssh-server openssh-client && "
        "rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*)\n"
    )
    name = hashlib.sha256(dockerfile.encode()).hexdigest()[:16]
    return ImageLayer(reference=f"sparkform/launch:{name}", dockerfile=dockerfile)


def _variables(request: Request, member: Member) -> tuple[Variable, ...]:
    return (
        *request.weights(member).variables,
        *COMPILER,
        *nccl_variables(member, request.topology),
        *mpi_variables(member, request.members),
        *(MOFED if request.asks_for_rdma else ()),
    )


def _shared_files() -> tuple[LaunchFile, ...]:
    """mpirun's daemon looks for the agent on the workers too, though it has no use for it there."""
    return (
        LaunchFile(path=f"{INSIDE}/rank", text=scripts.RANK, mode="0555"),
        LaunchFile(path=f"{INSIDE}/ssh", text=scripts.SSH_AGENT, mode="0555"),
    )


def _head_files(request: Request) -> tuple[LaunchFile, ...]:
    hosts = "".join(f"{member.address} slots=1\n" for member in request.members)
    start = scripts.script(
        scripts.IMAGE_ENTRYPOINT, scripts.KEEP_ENVIRONMENT, scripts.WAIT_FOR_WORKERS, scripts.RUN
    )
    return (
        LaunchFile(path=request.start, text=start, mode="0555", own=True),
        LaunchFile(path=f"{INSIDE}/hostfile", text=hosts),
        LaunchFile(path=f"{INSIDE}/ssh_config", text=scripts.ssh_config(SSH_PORT)),
    )


def _worker_files(member: Member) -> tuple[LaunchFile, ...]:
    start = scripts.script(scripts.IMAGE_ENTRYPOINT, scripts.KEEP_ENVIRONMENT, scripts.RUN_SSHD)
    config = scripts.sshd_config(member.address, SSH_PORT)
    return (
        LaunchFile(path=f"{INSIDE}/start", text=start, mode="0555", own=True),
        LaunchFile(path=f"{INSIDE}/sshd_config", text=config, own=True),
    )


def _head_keys(request: Request) -> tuple[KeyFile, ...]:
    hosts = {f"[{one.address}]:{SSH_PORT}": one.node for one in request.members[1:]}
    return (
        _key(request, "client_key", "0600", {}),
        _key(request, "known_hosts", "0644", hosts),
    )


def _worker_keys(request: Request, member: Member) -> tuple[KeyFile, ...]:
    return (
        _key(request, "host_key", "0600", {}),
        _key(request, "authorized_keys", "0644", {request.head.address: request.head.node}),
    )


def _key(request: Request, kind: KeyKind, mode: str, speaks_for: dict[str, str]) -> KeyFile:
    return KeyFile(
        kind=kind,
        path=f"{INSIDE_KEYS}/{kind}",
        source=f"{keys_folder(request.service)}/{kind}",
        mode=mode,
        speaks_for=speaks_for,
    )


def _head_ports(request: Request) -> tuple[PortUse, ...]:
    declared = request.declared
    return (PortUse(number=declared.port, address=declared.bind, purpose="API"),)
