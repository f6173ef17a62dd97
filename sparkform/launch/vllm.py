"""vLLM: `vllm serve` on one node; on several by its own launcher (mp), or by Ray."""

from __future__ import annotations

from collections.abc import Iterator

from node.host.paths import VIRTUALENV
from sparkform.config import VllmService
from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.launch import scripts
from sparkform.launch.arguments import check_extra_arguments, flatten_options
from sparkform.launch.environment import (
    MOFED_VARIABLES,
    Variable,
    build_nccl_variables,
    build_step_limit,
)
from sparkform.launch.members import ServiceMember
from sparkform.launch.paths import NCCL_LIBRARIES, SYSTEM_PATH
from sparkform.launch.records import LaunchFile, PortUse
from sparkform.launch.request import EngineRank, LaunchRequest
from sparkform.launch.vllm_options import (
    ALIASES,
    build_adapter_arguments,
    build_rank_options,
    build_shared_options,
    fold_option,
)
from sparkform.launch.vllm_ray import plan_ray_ranks


def plan_ranks(request: LaunchRequest, declared: VllmService) -> tuple[EngineRank, ...]:
    """Every rank of the service."""
    if request.has_several_ranks and declared.launcher == "ray":
        command = (*build_program(request), *build_arguments(request, declared, {}))
        variables = [_build_variables(request, member) for member in request.members]
        return plan_ray_ranks(request, command, variables)
    return tuple(_plan_rank(request, declared, member) for member in request.members)


def _plan_rank(request: LaunchRequest, declared: VllmService, member: ServiceMember) -> EngineRank:
    rank_options = (
        build_rank_options(request, declared, member) if request.has_several_ranks else {}
    )
    is_head = member.rank == 0
    api_key = request.api_key if is_head else None
    entrypoint = () if request.is_native else (scripts.IMAGE_ENTRYPOINT,)
    key_reader = (scripts.render_api_key_reader(api_key.path),) if api_key else ()
    start = scripts.join_script(*entrypoint, *key_reader, scripts.EXEC_ARGUMENTS)
    return EngineRank(
        member=member,
        argv=(*build_program(request), *build_arguments(request, declared, rank_options)),
        variables=_build_variables(request, member),
        files=(LaunchFile(path=request.start_script, text=start, mode="0555", own=bool(api_key)),),
        secrets=(api_key,) if api_key else (),
        ports=_build_ports(request, declared) if is_head else (),
        unproven=request.unproven,
    )


def build_program(request: LaunchRequest) -> tuple[str, ...]:
    """Natively by the virtual environment's Python: its scripts hold the path they were made at."""
    if request.is_native:
        return (f"{VIRTUALENV}/bin/python", "-m", "vllm.entrypoints.cli.main", "serve")
    return ("vllm", "serve")


def build_arguments(
    request: LaunchRequest, declared: VllmService, rank_options: dict[str, str | None]
) -> tuple[str, ...]:
    """The model, what is the same on all ranks, this rank's place, and the user's own."""
    model = request.locate_weights(request.head).argument
    merged_options = build_shared_options(request, declared) | rank_options
    adapters = build_adapter_arguments(declared.adapters)
    return (model, *flatten_options(merged_options), *adapters, *declared.extra_args)


def _build_variables(request: LaunchRequest, member: ServiceMember) -> tuple[Variable, ...]:
    """VLLM_HOST_IP on several nodes: without it vLLM takes the address of any interface. Natively
    the path leads to the environment's ninja, which FlashInfer calls by name to compile kernels
    (flashinfer/jit/cpp_ext.py, 0.7.0); CUDA's compiler it finds in /usr/local/cuda."""
    host_variables = (Variable("VLLM_HOST_IP", member.address, per_node=True),)
    native_variables = (
        Variable("LD_LIBRARY_PATH", NCCL_LIBRARIES, overridable=True),
        Variable("PATH", f"{VIRTUALENV}/bin:{SYSTEM_PATH}", overridable=True),
    )
    return (
        *request.locate_weights(member).variables,
        Variable("VLLM_NO_USAGE_STATS", "1", overridable=True),
        *(native_variables if request.is_native else ()),
        *(
            (
                *host_variables,
                *build_nccl_variables(member, request.topology),
                build_step_limit("VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS", request.declared),
            )
            if request.has_several_ranks
            else ()
        ),
        *(MOFED_VARIABLES if request.needs_rdma_from_runtime else ()),
    )


def _build_ports(request: LaunchRequest, declared: VllmService) -> tuple[PortUse, ...]:
    api = PortUse(number=declared.port, address=declared.bind, purpose="API")
    if not request.has_several_ranks:
        return (api,)
    address, ports = request.head.address, request.ports
    master = PortUse(number=ports.master, address=address, purpose="rendezvous")
    copies = PortUse(number=ports.data_parallel, address=address, purpose="data parallel")
    return (api, master, *((copies,) if declared.data_parallel > 1 else ()))


def find_problems(request: LaunchRequest, declared: VllmService) -> Iterator[Problem]:
    """What this engine cannot do as declared."""
    head_options = (
        build_rank_options(request, declared, request.head) if request.has_several_ranks else {}
    )
    # A worker's place has one option more than the head's.
    planned = build_shared_options(request, declared) | head_options | {"--headless": None}
    planned |= dict.fromkeys(build_adapter_arguments(declared.adapters)[:1])
    extra_arguments = tuple(map(fold_option, declared.extra_args))
    yield from check_extra_arguments(request.service, extra_arguments, planned, ALIASES)
    yield from _find_ray_problems(request, declared)


def _find_ray_problems(request: LaunchRequest, declared: VllmService) -> Iterator[Problem]:
    if declared.launcher == "ray" and request.has_several_ranks and declared.data_parallel > 1:
        yield Problem(
            path=f"{format_service_path(request.service)}.launcher",
            message="is ray, which cannot place copies here",
            got="ray with dataParallel above 1",
            allowed="mp",
            because="with Ray each copy looks for its ranks on one node",
        )
