"""Every rule's function by id, in three scopes.

A service rule judges one service, a rack rule the cluster, a stack rule services against each
other. `policies/` makes a resource policy of the first two and a stack policy of the third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

from sparkform.rules.context import Context, ServiceView
from sparkform.rules.groups import (
    adapters,
    engine_age,
    fabric,
    host,
    image,
    known_failures,
    memory,
    model,
    nccl,
    parallel,
    ports,
    reasoning,
    replicas,
    ring,
    runtime,
    secrets,
    sharing,
    swarm,
    task,
    trtllm_graphs,
    trtllm_image,
    trtllm_options,
    trtllm_tuning,
    values,
    vllm_cache,
    vllm_kernels,
    vllm_ranks,
    vllm_ray,
    vllm_tuning,
)
from sparkform.rules.outcome import RuleOutcome

GROUPS: tuple[ModuleType, ...] = (
    trtllm_image,
    trtllm_graphs,
    trtllm_options,
    trtllm_tuning,
    vllm_ranks,
    vllm_ray,
    vllm_tuning,
    vllm_kernels,
    vllm_cache,
    parallel,
    memory,
    sharing,
    replicas,
    model,
    task,
    adapters,
    nccl,
    reasoning,
    ring,
    fabric,
    swarm,
    runtime,
    host,
    ports,
    image,
    engine_age,
    secrets,
    values,
    known_failures,
)

ServiceRule = Callable[[ServiceView], Iterator[RuleOutcome]]
ContextRule = Callable[[Context], Iterator[RuleOutcome]]


def _merge_rules(name: str) -> Mapping[str, Callable[..., Iterator[RuleOutcome]]]:
    return {rule_id: rule for group in GROUPS for rule_id, rule in getattr(group, name, {}).items()}


SERVICE_RULES: Mapping[str, ServiceRule] = _merge_rules("SERVICE_RULES")
RACK_RULES: Mapping[str, ContextRule] = _merge_rules("RACK_RULES")
STACK_RULES: Mapping[str, ContextRule] = _merge_rules("STACK_RULES")
