"""Every rule's function by id, in three scopes.

A service rule judges one service, a rack rule the cluster, a stack rule services against each
other. `policies/` makes a resource policy of the first two and a stack policy of the third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

from sparkform.rules.context import Context, ServiceView
from sparkform.rules.groups import (
    fabric,
    host,
    image,
    limits,
    memory,
    model,
    nccl,
    parallel,
    ports,
    reasoning,
    reported,
    ring,
    runtime,
    secrets,
    swarm,
    trtllm_graphs,
    trtllm_image,
    trtllm_options,
    trtllm_tuning,
    vllm_group,
    vllm_ray,
    vllm_tuning,
)
from sparkform.rules.outcome import Outcome

GROUPS: tuple[ModuleType, ...] = (
    trtllm_image,
    trtllm_graphs,
    trtllm_options,
    trtllm_tuning,
    vllm_group,
    vllm_ray,
    vllm_tuning,
    parallel,
    memory,
    limits,
    model,
    nccl,
    reasoning,
    ring,
    fabric,
    swarm,
    runtime,
    host,
    ports,
    image,
    secrets,
    reported,
)

ServiceRule = Callable[[ServiceView], Iterator[Outcome]]
ContextRule = Callable[[Context], Iterator[Outcome]]


def _merged(name: str) -> Mapping[str, Callable[..., Iterator[Outcome]]]:
    return {id: rule for group in GROUPS for id, rule in getattr(group, name, {}).items()}


SERVICE_RULES: Mapping[str, ServiceRule] = _merged("SERVICE_RULES")
RACK_RULES: Mapping[str, ContextRule] = _merged("RACK_RULES")
STACK_RULES: Mapping[str, ContextRule] = _merged("STACK_RULES")
