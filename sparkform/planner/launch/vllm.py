"""vLLM: `vllm serve` on one node; on several by its own launcher (mp), or by Ray.

Options were read in the wheels of vLLM 0.11.1, 0.12.0, 0.14.0 to 0.18.1, 0.26.0 and 0.32.0
(vllm/engine/arg_utils.py, entrypoints/**/cli_args.py): all are in each of them, but for those in
`SINCE`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sparkform.errors import Problem
from sparkform.planner.launch import scripts
from sparkform.planner.launch.arguments import as_arguments, extra_problems, present
from sparkform.planner.launch.environment import MOFED, Variable, nccl_variables
from sparkform.planner.launch.members import Member
from sparkform.planner.launch.places import NCCL_LIBRARIES, VIRTUALENV
from sparkform.planner.launch.records import LaunchFile, PortUse
from sparkform.planner.launch.request import Rank, Request
from sparkform.planner.launch.trtllm_mpi import MOFED_UNPROVEN
from sparkform.planner.launch.versions import Version, tag_version
from sparkform.planner.launch.vllm_ray import ray_ranks
from sparkform.spec import Speculative, VllmService

MASTER_PORT = 29501
"""vLLM's own default (vllm/config/parallel.py)."""

DATA_PARALLEL_PORT = 29550
"""vLLM's own default of --data-parallel-rpc-port."""

SINCE = {
    "--nnodes": Version(0, 11, 1),
    "--node-rank": Version(0, 11, 1),
    "--moe-backend": Version(0, 17, 0),
}
"""First version that was seen with an option. `--nnodes`: vLLM's own notes of 0.11.1 (network.md
2.2); `--moe-backend`: not in 0.16.0, in 0.17.0."""

ALIASES = {
    "-tp": "--tensor-parallel-size",
    "-pp": "--pipeline-parallel-size",
    "-dp": "--data-parallel-size",
    "-n": "--nnodes",
    "-r": "--node-rank",
    "-q": "--quantization",
    "-dpa": "--data-parallel-address",
    "-dpp": "--data-parallel-rpc-port",
}


def ranks(request: Request, declared: VllmService) -> tuple[Rank, ...]:
    """Every rank of the service."""
    if request.is_several and declared.launcher == "ray":
        command = (*program(request), *arguments(request, declared, {}))
        variables = [_variables(request, member) for member in request.members]
        return ray_ranks(request, command, variables)
    return tuple(_rank(request, declared, member) for member in request.members)


def _rank(request: Request, declared: VllmService, member: Member) -> Rank:
    place = _place(request, declared, member) if request.is_several else {}
    is_head = member.rank == 0
    key = request.api_key if is_head else None
    parts = () if request.is_native else (scripts.IMAGE_ENTRYPOINT,)
    secret = (scripts.read_api_key(key.path),) if key else ()
    start = scripts.script(*parts, *secret, scripts.RUN)
    is_swarm = request.declared.runtime == "swarm"
    return Rank(
        member=member,
        argv=(*program(request), *arguments(request, declared, place)),
        variables=_variables(request, member),
        files=(LaunchFile(path=request.start, text=start, mode="0555", own=bool(key)),),
        secrets=(key,) if key else (),
        ports=_ports(request, declared) if is_head else (),
        unproven=MOFED_UNPROVEN if is_swarm and request.is_several else (),
    )


def program(request: Request) -> tuple[str, ...]:
    """Natively by the virtual environment's Python: its scripts hold the path they were made at."""
    if request.is_native:
        return (f"{VIRTUALENV}/bin/python", "-m", "vllm.entrypoints.cli.main", "serve")
    return ("vllm", "serve")


def arguments(
    request: Request, declared: VllmService, place: dict[str, str | None]
) -> tuple[str, ...]:
    """The model, what is the same on all ranks, this rank's place, and the user's own."""
    model = request.weights(request.head).argument
    options = _options(request, declared) | place
    return (model, *as_arguments(options), *declared.extra_args)


def _options(request: Request, declared: VllmService) -> dict[str, str | None]:
    executor = declared.launcher if request.is_several else None
    copies = declared.data_parallel
    return present(
        {
            "--served-model-name": request.served_name,
            "--host": declared.bind,
            "--port": declared.port,
            "--revision": request.weights(request.head).revision,
            "--tensor-parallel-size": declared.tensor_parallel,
            "--pipeline-parallel-size": declared.pipeline_parallel,
            "--data-parallel-size": copies if copies > 1 else None,
            "--distributed-executor-backend": executor,
            "--max-num-seqs": declared.max_batch_size,
            "--max-model-len": declared.max_seq_len,
            "--gpu-memory-utilization": declared.gpu_memory_utilization,
            "--kv-cache-dtype": declared.kv_cache_dtype,
            "--quantization": declared.quantization,
            "--moe-backend": declared.moe_backend,
            "--speculative-config": speculative(declared.speculative),
            "--reasoning-parser": declared.reasoning_parser,
            "--enable-auto-tool-choice": declared.tool_parser is not None,
            "--tool-call-parser": declared.tool_parser,
            "--enforce-eager": declared.enforce_eager,
            "--trust-remote-code": declared.trust_remote_code,
        }
    )


def _place(request: Request, declared: VllmService, member: Member) -> dict[str, str | None]:
    """Where this rank stands among the others, by vLLM's own launcher.

    With copies (data parallel) vLLM derives each node's copy from its node rank
    (vllm/engine/arg_utils.py, create_engine_config; 0.11.1 to 0.32.0).
    """
    copies = declared.data_parallel > 1
    return present(
        {
            "--nnodes": len(request.members),
            "--master-addr": request.head.address,
            "--master-port": MASTER_PORT,
            "--data-parallel-address": request.head.address if copies else None,
            "--data-parallel-rpc-port": DATA_PARALLEL_PORT if copies else None,
            "--node-rank": member.rank,
            "--headless": member.rank > 0,
        }
    )


def speculative(declared: Speculative | None) -> str | None:
    """vLLM's JSON for speculative decoding, without blanks."""
    if declared is None:
        return None
    values = {
        "method": declared.method,
        "num_speculative_tokens": declared.tokens,
        **({"model": declared.model} if declared.model else {}),
    }
    return json.dumps(values, separators=(",", ":"))


def _variables(request: Request, member: Member) -> tuple[Variable, ...]:
    """VLLM_HOST_IP on several nodes: without it vLLM takes the address of any interface."""
    own = (Variable("VLLM_HOST_IP", member.address, own=True),)
    libraries = (Variable("LD_LIBRARY_PATH", NCCL_LIBRARIES, overridable=True),)
    is_swarm = request.declared.runtime == "swarm"
    return (
        *request.weights(member).variables,
        Variable("VLLM_NO_USAGE_STATS", "1", overridable=True),
        *(libraries if request.is_native else ()),
        *((*own, *nccl_variables(member, request.topology)) if request.is_several else ()),
        *(MOFED if is_swarm and request.is_several else ()),
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
    head = _place(request, declared, request.head) if request.is_several else {}
    # A worker's place has one option more than the head's.
    planned = _options(request, declared) | head | {"--headless": None}
    folded = tuple(_folded(argument) for argument in declared.extra_args)
    yield from extra_problems(request.service, folded, planned, ALIASES)
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


def _folded(argument: str) -> str:
    """vLLM takes --max_model_len for --max-model-len (vllm/utils/argparse_utils.py)."""
    name, equals, value = argument.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if name.startswith("--") else argument
