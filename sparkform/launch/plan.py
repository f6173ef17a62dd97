"""The launches of all services, or every reason why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sparkform.config import Spec, TrtllmService
from sparkform.errors import Problem
from sparkform.fabric.network import Documents, Network
from sparkform.launch import trtllm, vllm
from sparkform.launch.assembly import launch
from sparkform.launch.checks import port_clashes, ranks_differ, secrets_shown
from sparkform.launch.environment import own_names
from sparkform.launch.members import members_of
from sparkform.launch.records import Launch
from sparkform.launch.request import Rank, Request
from sparkform.launch.variables import variable_problems


@dataclass(frozen=True)
class LaunchPlan:
    """Each service's launches by rank. A service with problems has none."""

    services: Mapping[str, tuple[Launch, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def plan_launches(
    spec: Spec, network: Network, documents: Documents, secrets: frozenset[str] = frozenset()
) -> LaunchPlan:
    """`secrets` are the names of the top-level secrets that the stack has, never their values."""
    services: dict[str, tuple[Launch, ...]] = {}
    problems: list[Problem] = []
    for name in spec.services:
        launches, found = _service(spec, name, network, documents, secrets)
        problems += found
        if not found:
            services[name] = launches
    problems += port_clashes(one for launches in services.values() for one in launches)
    return LaunchPlan(services, tuple(problems))


def _service(
    spec: Spec, name: str, network: Network, documents: Documents, secrets: frozenset[str]
) -> tuple[tuple[Launch, ...], list[Problem]]:
    members, problems = members_of(spec, name, network, documents)
    if problems:
        return (), problems
    request = Request(
        service=name,
        declared=spec.services[name],
        served_name=spec.served_name(name),
        all_reduce=spec.all_reduce(name),
        members=members,
        topology=spec.cluster.fabric.topology,
        secrets=secrets,
    )
    problems = [*_world_problems(request), *_engine_problems(request)]
    if problems:
        return (), problems
    ranks = _ranks(request)
    planned = ranks[0].variables
    problems = list(variable_problems(name, planned, request.declared.environment))
    if problems:
        return (), problems
    launches = tuple(launch(request, rank) for rank in ranks)
    return launches, [*ranks_differ(launches, own_names(planned)), *secrets_shown(launches)]


def _ranks(request: Request) -> tuple[Rank, ...]:
    declared = request.declared
    if isinstance(declared, TrtllmService):
        return trtllm.ranks(request, declared)
    return vllm.ranks(request, declared)


def _engine_problems(request: Request) -> Iterator[Problem]:
    declared = request.declared
    if isinstance(declared, TrtllmService):
        yield from trtllm.problems(request, declared)
    else:
        yield from vllm.problems(request, declared)


def _world_problems(request: Request) -> Iterator[Problem]:
    """A Spark has one GPU, so there is one rank a node."""
    declared = request.declared
    sizes = (declared.tensor_parallel, declared.pipeline_parallel, declared.data_parallel)
    world = sizes[0] * sizes[1] * sizes[2]
    if world != len(request.members):
        yield Problem(
            path=f"services.{request.service}.tensorParallel",
            what="tensorParallel x pipelineParallel x dataParallel is not the number of nodes",
            got=f"{sizes[0]} x {sizes[1]} x {sizes[2]} = {world} for {len(request.members)} nodes",
            allowed=str(len(request.members)),
            because="a Spark has one GPU, so each node runs one rank",
        )
