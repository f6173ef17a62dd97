"""What the rules say of replicas: of each group as of a service, and once."""

from __future__ import annotations

from typing import Any

import pytest

from policies.judgement import find_stack_violations, find_violations
from sparkform.config import Declaration
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import Violation
from sparkform.rules.props import RACK_TYPE, SERVICE_TYPE, build_rack_props, build_service_props
from tests.unit.config.support import build_cluster, build_declaration, vllm
from tests.unit.rules.support import list_refused, list_warned

GIB = 119.7
SMALL = "Qwen/Qwen3-8B"


def declare(count: int, services: dict[str, Any], **cluster: Any) -> Declaration:
    block = build_cluster(count, **cluster)
    for node in block["nodes"]:
        node["memoryGib"] = GIB
    return build_declaration(block, services)


def build_block(replicas: int, **changes: object) -> dict[str, Any]:
    share = {"model": SMALL, "maxSeqLen": 4096, "gpuMemoryUtilization": 0.5}
    return vllm(replicas=replicas, **share) | changes


def judge(declaration: Declaration, rule: str) -> list[Violation]:
    verdict = evaluate(Context(declaration=declaration))
    return [violation for violation in verdict.violations if violation.rule == rule]


def test_replicas_without_one_name_for_them_are_refused() -> None:
    (violation,) = judge(declare(2, {"qwen": build_block(2)}), "replicas-gateway")
    assert violation.path == "services.qwen.replicas"
    assert "2 replicas answer at 2 addresses" in violation.message
    assert "needs sparkform:gateway" in violation.message
    assert judge(declare(1, {"qwen": build_block(1)}), "replicas-gateway") == []


def test_a_router_of_ones_own_is_a_reason_to_waive_it() -> None:
    waive = [{"rule": "replicas-gateway", "reason": "nginx on the desk balances"}]
    verdict = evaluate(Context(declaration=declare(2, {"qwen": build_block(2)}, waive=waive)))
    assert "replicas-gateway" not in list_refused(verdict)
    assert "replicas-gateway" in list_warned(verdict)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"tensorParallel": 1}, "replicas: 4"),
        ({"tensorParallel": 4}, "tensorParallel: 2"),
        ({"tensorParallel": 2, "pipelineParallel": 2}, "tensorParallel: 2"),
    ],
)
def test_ranks_are_held_against_the_nodes_of_one_group(
    changes: dict[str, int], remedy: str
) -> None:
    (violation,) = judge(declare(4, {"qwen": build_block(2, **changes)}), "world-size")
    assert "do not match 2 nodes" in violation.message
    assert violation.remedy == remedy
    assert judge(declare(4, {"qwen": build_block(2, tensorParallel=2)}), "world-size") == []


def build_sharing(share: float) -> Declaration:
    """A second service beside the second replica."""
    second = build_block(1, nodes=["spark-2"], gpuMemoryUtilization=share, port=8001)
    return declare(2, {"qwen": build_block(2), "other": second})


def test_what_shares_a_node_with_a_replica_is_counted_with_it() -> None:
    assert judge(build_sharing(0.4), "shared-memory") == []
    (violation,) = judge(build_sharing(0.6), "shared-memory")
    assert "The services on spark-2 claim" in violation.message
    assert "other 71.8, qwen_2 59.9" in violation.message
    assert violation.path == "services.qwen.gpuMemoryUtilization"


@pytest.mark.parametrize(
    "declaration",
    [
        declare(2, {"qwen": build_block(2)}),
        declare(4, {"qwen": build_block(2, tensorParallel=1)}),
        declare(4, {"qwen": build_block(2, tensorParallel=2, maxSeqLen=10_000_000)}),
        build_sharing(0.4),
        build_sharing(0.6),
    ],
)
def test_the_policy_pack_says_the_same(declaration: Declaration) -> None:
    services = [
        build_service_props(declaration, name, ()) for name in declaration.declared_services
    ]
    said = [violation for props in services for violation in find_violations(SERVICE_TYPE, props)]
    said += find_violations(RACK_TYPE, build_rack_props(declaration, ()))
    said += find_stack_violations(services)
    verdict = evaluate(Context(declaration=declaration, secrets=frozenset()))
    assert sorted(map(str, said)) == sorted(map(str, verdict.violations))
    assert len(set(said)) == len(said)
