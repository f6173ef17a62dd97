"""vLLM's ranks joined by Ray: a Ray head and workers first, then `vllm serve` on the head.

As NVIDIA's playbook does it, for images that hold Ray; nothing is installed at
start. Ray's memory monitor is off: on unified memory it takes a loaded model for a leak and kills
it. The object store is capped at 1 GiB, as vLLM hardly uses it
(NVIDIA/dgx-spark-playbooks@0db7c14 nvidia/vllm; eugr/spark-vllm-docker@013cd2ea).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from node.host.paths import VIRTUALENV
from sparkform.launch import scripts
from sparkform.launch.environment import Variable, build_step_limit, list_per_node_names
from sparkform.launch.members import ServiceMember
from sparkform.launch.records import LaunchFile, PortUse
from sparkform.launch.request import EngineRank, LaunchRequest

RAY_PORT = 6379
OBJECT_STORE_BYTES = 1024**3
JOIN_LIMIT_S = 600
COUNT_NODES_SCRIPT = (
    'import ray; ray.init("auto", log_to_driver=False); print(sum(n["Alive"] for n in ray.nodes()))'
)


def plan_ray_ranks(
    request: LaunchRequest, command: tuple[str, ...], variables: Sequence[tuple[Variable, ...]]
) -> tuple[EngineRank, ...]:
    """`command` is `vllm serve` with its arguments, `variables` those of each member."""
    head, *workers = (
        (*rank_variables, *_build_ray_variables(request)) for rank_variables in variables
    )
    return (
        EngineRank(
            member=request.head,
            argv=command,
            variables=head,
            files=(_build_head_start(request), _build_non_carry_over_file(request, head)),
            secrets=(request.api_key,) if request.api_key else (),
            ports=_build_head_ports(request),
            unproven=request.unproven,
        ),
        *(
            EngineRank(
                member=member,
                argv=(
                    *build_ray_start(request, member),
                    "--address",
                    _get_head_endpoint(request),
                    "--block",
                ),
                variables=rank_variables,
                files=(
                    _build_worker_start(request),
                    _build_non_carry_over_file(request, rank_variables),
                ),
                unproven=request.unproven,
            )
            for member, rank_variables in zip(request.members[1:], workers, strict=True)
        ),
    )


def build_ray_start(request: LaunchRequest, member: ServiceMember) -> tuple[str, ...]:
    """What every Ray node is started with."""
    python = (f"{VIRTUALENV}/bin/python", "-m", "ray.scripts.scripts")
    return (
        *(python if request.is_native else ("ray",)),
        "start",
        "--node-ip-address",
        member.address,
        "--num-gpus",
        "1",
        "--object-store-memory",
        str(OBJECT_STORE_BYTES),
        "--disable-usage-stats",
    )


def _build_ray_variables(request: LaunchRequest) -> tuple[Variable, ...]:
    return (
        Variable("RAY_memory_monitor_refresh_ms", "0", overridable=True),
        build_step_limit("RAY_CGRAPH_get_timeout", request.declared),
        Variable("VLLM_CONFIG_ROOT", request.folder),
    )


def _build_non_carry_over_file(
    request: LaunchRequest, variables: tuple[Variable, ...]
) -> LaunchFile:
    """vLLM copies NCCL_*, VLLM_* and others from the head to all; this file names those that each
    node keeps for itself (vllm/ray/ray_env.py, 0.32.0)."""
    names = sorted({*list_per_node_names(variables), "VLLM_API_KEY"})
    path = f"{request.folder}/ray_non_carry_over_env_vars.json"
    return LaunchFile(path=path, text=json.dumps(names) + "\n")


def _build_head_start(request: LaunchRequest) -> LaunchFile:
    options = ("--head", "--port", str(RAY_PORT), "--include-dashboard", "false")
    start = " ".join((*build_ray_start(request, request.head), *options))
    python = f"{VIRTUALENV}/bin/python" if request.is_native else "python3"
    key, nodes = request.api_key, len(request.members)
    text = scripts.join_script(
        *(() if request.is_native else (scripts.IMAGE_ENTRYPOINT,)),
        f"""
{start}
deadline=$(($(date +%s) + {JOIN_LIMIT_S}))
until [ "$({python} -c '{COUNT_NODES_SCRIPT}' 2>/dev/null || echo 0)" -ge {nodes} ]; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "sparkform: fewer than {nodes} Ray nodes after {JOIN_LIMIT_S} s" >&2
        exit 1
    fi
    sleep 2
done
""",
        *((scripts.render_api_key_reader(key.path),) if key else ()),
        scripts.EXEC_ARGUMENTS,
    )
    return LaunchFile(path=request.start_script, text=text, mode="0555", own=True)


def _build_worker_start(request: LaunchRequest) -> LaunchFile:
    """`ray start --block` ends when the head is not there yet, so it waits for its port."""
    host, port = request.head.address, RAY_PORT
    python = f"{VIRTUALENV}/bin/python" if request.is_native else "python3"
    dial = f'import socket; socket.create_connection(("{host}", {port}), 2)'
    text = scripts.join_script(
        *(() if request.is_native else (scripts.IMAGE_ENTRYPOINT,)),
        f"""
deadline=$(($(date +%s) + {JOIN_LIMIT_S}))
until {python} -c '{dial}' 2>/dev/null; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "sparkform: no Ray head on {host} after {JOIN_LIMIT_S} s" >&2
        exit 1
    fi
    sleep 2
done
""",
        scripts.EXEC_ARGUMENTS,
    )
    return LaunchFile(path=request.start_script, text=text, mode="0555", own=True)


def _get_head_endpoint(request: LaunchRequest) -> str:
    return f"{request.head.address}:{RAY_PORT}"


def _build_head_ports(request: LaunchRequest) -> tuple[PortUse, ...]:
    declared = request.declared
    return (
        PortUse(number=declared.port, address=declared.bind, purpose="API"),
        PortUse(number=RAY_PORT, address=request.head.address, purpose="Ray"),
    )
