"""vLLM: `vllm serve` on one node; on several by its own launcher (mp), or by Ray."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import VllmService
from sparkform.errors import Problem
from sparkform.launch import scripts
from sparkform.launch.arguments import as_arguments, extra_problems
from sparkform.launch.environment import MOFED, Variable, nccl_variables
from sparkform.launch.members import Member
from sparkform.launch.places import NCCL_LIBRARIES, SYSTEM_PATH, VIRTUALENV
from sparkform.launch.records import LaunchFile, PortUse
from sparkform.launch.request import Rank, Request
from sparkform.launch.versions import tag_version
from sparkform.launch.vllm_options import (
    ALIASES,
    DATA_PARALLEL_PORT,
    MASTER_PORT,
    SINCE,
    folded,
    options,
    place,
)
from sparkform.launch.vllm_ray import ray_ranks


def ranks(request: Request, declared: VllmService) -> tuple[Rank, ...]:
    """Every rank of the service."""
    if request.is_several and declared.launcher == "ray":
        command = (*program(request), *arguments(request, declared, {}))
        variables = [_variables(request, member) for member in request.members]
        return ray_ranks(request, command, variables)
    return tuple(_rank(request, declared, member) for member in request.members)


def _rank(request: Request, declared: VllmService, member: Member) -> Rank:
    own = place(request, declared, member) if request.is_several else {}
    is_head = member.rank == 0
    key = request.api_key if is_head else None
    parts = () if request.is_native else (scripts.IMAGE_ENTRYPOINT,)
    secret = (scripts.read_api_key(key.path),) if key else ()
    start = scripts.script(*parts, *secret, scripts.RUN)
    return Rank(
        member=member,
        argv=(*program(request), *arguments(request, declared, own)),
        variables=_variables(request, member),
        files=(LaunchFile(path=request.start, text=start, mode="0555", own=bool(key)),),
        secrets=(key,) if key else (),
        ports=_ports(request, declared) if is_head else (),
        unproven=request.unproven,
    )


def program(request: Request) -> tuple[str, ...]:
    """Natively by the virtual environment's Python: its scripts hold the path they were made at."""
    if request.is_native:
        return (f"{VIRTUALENV}/bin/python", "-m", "vllm.entrypoints.cli.main", "serve")
    return ("vllm", "serve")


def arguments(
    request: Request, declared: VllmService, own: dict[str, str | None]
) -> tuple[str, ...]:
    """The model, what is the same on all ranks, this rank's place, and the user's own."""
    model = request.weights(request.head).argument
    given = options(request, declared) | own
    return (model, *as_arguments(given), *declared.extra_args)


def _variables(request: Request, member: Member) -> tuple[Variable, ...]:
    """VLLM_HOST_IP on several nodes: without it vLLM takes the address of any interface. Natively
    the path leads to the environment's ninja, which FlashInfer calls by name to compile kernels
    (flashinfer/jit/cpp_ext.py, 0.7.0); CUDA's compiler it finds in /usr/local/cuda."""
    own = (Variable("VLLM_HOST_IP", member.address, own=True),)
    native = (
        Variable("LD_LIBRARY_PATH", NCCL_LIBRARIES, overridable=True),
        Variable("PATH", f"{VIRTUALENV}/bin:{SYSTEM_PATH}", overridable=True),
    )
    return (
        *request.weights(member).variables,
        Variable("VLLM_NO_USAGE_STATS", "1", overridable=True),
        *(native if request.is_native else ()),
        *((*own, *nccl_variables(member, request.topology)) if request.is_several else ()),
        *(MOFED if request.asks_for_rdma else ()),
    )


def _ports(request: Request, declared: VllmService) -> tuple[PortUse, ...]:
    api = PortUse(number=declared.port, address=declared.bind, purpose="API")
    if not request.is_several:
        return (api,)
    address = request.head.address
    master = PortUse(number=MASTER_PORT, address=address, purpose="rendezvous")
    copies = PortUse(number=DATA_PARALLEL_PORT, address=address, purpose="data parallel")
    return (api, master, *((copies,) if declared.data_parallel > 1 else ()))


def problems(request: Request, declared: VllmService) -> Iterator[Problem]:
    """What this engine cannot do as declared."""
    head = place(request, declared, request.head) if request.is_several else {}
    # A worker's place has one option more than the head's.
    planned = options(request, declared) | head | {"--headless": None}
    spelled = tuple(map(folded, declared.extra_args))
    yield from extra_problems(request.service, spelled, planned, ALIASES)
    version = tag_version(declared.image or "")
    for option in planned if version else ():
        since = SINCE.get(option)
        if since and version and version < since:
            yield Problem(
                path=f"services.{request.service}.image",
                what=f"has no {option}, which the service needs",
                got=declared.image,
                allowed=f"vLLM {since} or later",
            )
    yield from _ray_problems(request, declared)


def _ray_problems(request: Request, declared: VllmService) -> Iterator[Problem]:
    if declared.launcher == "ray" and request.is_several and declared.data_parallel > 1:
        yield Problem(
            path=f"services.{request.service}.launcher",
            what="is ray, which cannot place copies here",
            got="ray with dataParallel above 1",
            allowed="mp",
            because="with Ray each copy looks for its ranks on one node",
        )
