"""Services that share a node: whether what they claim adds up, wherever that is asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.judgement import find_stack_violations
from sparkform.config import Declaration, parse_config
from sparkform.errors import InputError
from sparkform.fabric.network import plan_network
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.groups.sharing import MAX_SHARED_CLAIM, compute_taken_gib, list_claims
from sparkform.rules.props import build_service_props
from tests.unit.config.support import build_cluster, build_declaration, find_problem, trtllm, vllm
from tests.unit.rules.support import MEMORY, build_reports, list_refused

TOTAL_GIB = 119.7
"""Of the reports, and as declared where no node is asked."""

NODES = ("spark-1", "spark-2")
SMALL, MIDDLE, UNKNOWN = "Qwen/Qwen3-8B", "openai/gpt-oss-20b", "somebody/something"


def build_rack() -> dict[str, Any]:
    cluster = build_cluster(2)
    for node in cluster["nodes"]:
        node["memoryGib"] = TOTAL_GIB
    return cluster


def build_vllm(share: float, **changes: object) -> dict[str, Any]:
    block = vllm(model=SMALL, maxSeqLen=4096, gpuMemoryUtilization=share, nodes=["spark-1"])
    return block | changes


def build_trtllm(share: float, **changes: object) -> dict[str, Any]:
    block = trtllm(runtime="container", model=SMALL, maxSeqLen=4096, tensorParallel=1)
    return block | {"freeGpuMemoryFraction": share, "nodes": ["spark-1"]} | changes


def declare(*blocks: dict[str, Any]) -> Declaration:
    services = {f"s{place}": block | {"port": 8000 + place} for place, block in enumerate(blocks)}
    return build_declaration(build_rack(), services)


def judge(declaration: Declaration) -> set[str]:
    return list_refused(evaluate(Context(declaration=declaration)))


def list_gib(declaration: Declaration) -> list[float]:
    context = Context(declaration=declaration)
    return [claim.gib or 0.0 for claim in list_claims(context, declaration.head)]


def test_shares_of_vllm_add_up_whatever_they_serve() -> None:
    assert list_gib(declare(build_vllm(0.5), build_vllm(0.2))) == pytest.approx(
        [0.5 * TOTAL_GIB, 0.2 * TOTAL_GIB]
    )
    assert "shared-memory" not in judge(declare(build_vllm(0.6), build_vllm(0.35)))
    assert "shared-memory" in judge(declare(build_vllm(0.6), build_vllm(0.36)))


def test_one_alone_claims_what_it_likes() -> None:
    assert "shared-memory" not in judge(declare(build_vllm(0.96)))


def test_tensorrt_llm_takes_its_share_of_what_those_before_it_leave_free() -> None:
    (alone,) = list_gib(declare(build_trtllm(0.5)))
    _, second = list_gib(declare(build_vllm(0.4), build_trtllm(0.5)))
    first, _ = list_gib(declare(build_trtllm(0.5), build_vllm(0.4)))
    assert first == pytest.approx(alone), "it is started before the other"
    assert alone - second == pytest.approx(0.4 * TOTAL_GIB / 2)


def test_a_small_share_of_tensorrt_llm_leaves_room_for_a_second_service() -> None:
    assert "shared-memory" not in judge(declare(build_trtllm(0.3), build_vllm(0.3)))
    assert "shared-memory" in judge(declare(build_trtllm(0.9), build_vllm(0.3)))


def test_a_refusal_has_the_numbers() -> None:
    verdict = evaluate(
        Context(declaration=declare(build_vllm(0.5), build_vllm(0.4), build_vllm(0.2)))
    )
    (violation,) = [each for each in verdict.refusals if each.rule == "shared-memory"]
    assert "s0 59.9, s1 47.9, s2 23.9" in violation.message
    assert "131.7 GiB, more than 95% of its 119.7 GiB" in violation.message
    assert violation.path == "services.s2.gpuMemoryUtilization"


def test_a_claim_that_is_not_known_is_said_to_be_so() -> None:
    declaration = declare(build_vllm(0.2), build_trtllm(0.5, model=UNKNOWN))
    skipped = evaluate(Context(declaration=declaration)).skipped
    assert "what s1 takes of spark-1 is not known" in [
        skip.reason for skip in skipped if skip.rule == "shared-memory"
    ]


def test_what_is_taken_before_a_service_is_that_of_the_earlier_ones() -> None:
    declaration = declare(build_vllm(0.5), build_vllm(0.2, nodes=["spark-2"]), build_vllm(0.1))
    views = Context(declaration=declaration).services
    taken = [compute_taken_gib(view, view.nodes[0]) for view in views]
    assert taken == pytest.approx([0.0, 0.0, 0.5 * TOTAL_GIB])


def test_swarm_is_refused_beside_anything_with_what_to_do() -> None:
    for runtimes in (("swarm", "swarm"), ("container", "swarm"), ("swarm", "container")):
        blocks = {
            f"s{place}": build_vllm(0.2, runtime=runtime, port=8000 + place)
            for place, runtime in enumerate(runtimes)
        }
        problem = find_problem(build_rack(), blocks)
        assert "one GPU" in str(problem.because)
        assert "runtime: container for both" in str(problem.remedy)


@pytest.mark.parametrize("runtimes", [("native", "native"), ("native", "container")])
def test_containers_and_native_engines_share_a_node(runtimes: tuple[str, str]) -> None:
    blocks = [build_vllm(0.3, runtime=runtime) for runtime in runtimes]
    for block in blocks:
        if block["runtime"] == "native":
            del block["image"]
    assert "shared-memory" not in judge(declare(*blocks))


def draw_block() -> st.SearchStrategy[dict[str, Any]]:
    share = st.sampled_from([0.05, 0.1, 0.3, 0.45, 0.5, 0.9])
    nodes = st.sampled_from([["spark-1"], ["spark-2"], list(NODES)])
    return st.builds(
        lambda make, share, nodes, model, runtime: make(
            share, nodes=nodes, model=model, runtime=runtime, tensorParallel=len(nodes)
        ),
        st.sampled_from([build_vllm, build_trtllm]),
        share,
        nodes,
        st.sampled_from([SMALL, MIDDLE, UNKNOWN]),
        st.sampled_from(["container", "container", "swarm"]),
    )


@given(st.lists(draw_block(), min_size=1, max_size=4))
def test_check_plan_and_policy_pack_agree_on_any_stack(blocks: list[dict[str, Any]]) -> None:
    services = {f"s{place}": block | {"port": 8000 + place} for place, block in enumerate(blocks)}
    cluster = build_rack()
    try:
        declaration = parse_config(cluster, services)
    except InputError:
        return  # all three read a stack in the same way, and refuse it before any rule
    reports = build_reports(2)
    network = plan_network(declaration, reports)[0]
    checked = judge(declaration)
    planned = list_refused(
        evaluate(Context(declaration=declaration, reports=reports, network=network))
    )
    props = [build_service_props(declaration, name, ()) for name in declaration.services]
    packed = {violation.rule for violation in find_stack_violations(props)}
    answers = ["shared-memory" in answer for answer in (checked, planned, packed)]
    assert answers in ([True] * 3, [False] * 3)
    for node in declaration.active_nodes:
        sharing = [block for block in blocks if node.name in block["nodes"]]
        shares = [block.get("gpuMemoryUtilization", 0.0) for block in sharing]
        if len(sharing) > 1 and sum(shares) > MAX_SHARED_CLAIM + 1e-9:
            assert answers[0], "vLLM's shares alone are too much"


def test_the_reports_have_the_memory_that_is_declared() -> None:
    assert MEMORY["total_kib"] == int(TOTAL_GIB * 2**20)
