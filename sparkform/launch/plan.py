"""The launches of all services, or every reason why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sparkform.config import Declaration, TrtllmService
from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.fabric.network import Network, Reports
from sparkform.launch import trtllm, vllm
from sparkform.launch.assembly import build_launch
from sparkform.launch.checks import find_port_clashes, find_rank_differences, find_shown_secrets
from sparkform.launch.environment import list_per_node_names
from sparkform.launch.members import plan_members
from sparkform.launch.ports import plan_ports
from sparkform.launch.records import Launch
from sparkform.launch.request import EngineRank, LaunchRequest
from sparkform.launch.variables import check_variables


@dataclass(frozen=True)
class LaunchPlan:
    """Each service's launches by rank. A service with problems has none."""

    services: Mapping[str, tuple[Launch, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def plan_launches(
    declaration: Declaration,
    network: Network,
    reports: Reports,
    secrets: frozenset[str] = frozenset(),
) -> LaunchPlan:
    """`secrets` are the names of the top-level secrets that the stack has, never their values."""
    services: dict[str, tuple[Launch, ...]] = {}
    problems: list[Problem] = []
    for name in declaration.services:
        launches, service_problems = _plan_service(declaration, name, network, reports, secrets)
        problems += service_problems
        if not service_problems:
            services[name] = launches
    problems += find_port_clashes(launch for launches in services.values() for launch in launches)
    return LaunchPlan(services, tuple(dict.fromkeys(problems)))


def _plan_service(
    declaration: Declaration, name: str, network: Network, reports: Reports, secrets: frozenset[str]
) -> tuple[tuple[Launch, ...], list[Problem]]:
    members, problems = plan_members(declaration, name, network, reports)
    if problems:
        return (), problems
    request = LaunchRequest(
        service=name,
        declared=declaration.services[name],
        served_name=declaration.get_served_name(name),
        all_reduce=declaration.get_all_reduce(name),
        members=members,
        ports=plan_ports(declaration, name),
        topology=declaration.cluster.fabric.topology,
        secrets=secrets,
        is_monitored=declaration.monitoring is not None,
    )
    problems = [*_find_world_problems(request), *_find_engine_problems(request)]
    if problems:
        return (), problems
    ranks = _plan_ranks(request)
    head_variables = ranks[0].variables
    problems = list(check_variables(name, head_variables, request.declared.environment))
    if problems:
        return (), problems
    launches = tuple(build_launch(request, rank) for rank in ranks)
    return launches, [
        *find_rank_differences(launches, list_per_node_names(head_variables)),
        *find_shown_secrets(launches),
    ]


def _plan_ranks(request: LaunchRequest) -> tuple[EngineRank, ...]:
    declared = request.declared
    if isinstance(declared, TrtllmService):
        return trtllm.plan_ranks(request, declared)
    return vllm.plan_ranks(request, declared)


def _find_engine_problems(request: LaunchRequest) -> Iterator[Problem]:
    declared = request.declared
    if isinstance(declared, TrtllmService):
        yield from trtllm.find_problems(request, declared)
    else:
        yield from vllm.find_problems(request, declared)


def _find_world_problems(request: LaunchRequest) -> Iterator[Problem]:
    """A Spark has one GPU, so there is one rank a node."""
    declared = request.declared
    parallel_sizes = (declared.tensor_parallel, declared.pipeline_parallel, declared.data_parallel)
    world_size = parallel_sizes[0] * parallel_sizes[1] * parallel_sizes[2]
    if world_size != len(request.members):
        yield Problem(
            path=f"{format_service_path(request.service)}.tensorParallel",
            message="tensorParallel x pipelineParallel x dataParallel is not the number of nodes",
            got=f"{parallel_sizes[0]} x {parallel_sizes[1]} x {parallel_sizes[2]} = "
            f"{world_size} for {len(request.members)} nodes",
            allowed=str(len(request.members)),
            because="a Spark has one GPU, so each node runs one rank",
        )
