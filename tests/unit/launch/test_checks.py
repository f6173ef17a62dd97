from __future__ import annotations

from dataclasses import replace

import pytest

from sparkform.launch import Launch, hash_launches
from sparkform.launch.checks import find_port_clashes, find_rank_differences, find_shown_secrets
from tests.unit.launch.racks import build_trtllm, build_vllm, declare_rack, plan_rack_launches

PER_NODE_NAMES = {"VLLM_HOST_IP", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "NCCL_IB_HCA"}


def plan_pair() -> tuple[Launch, Launch]:
    head, worker = plan_rack_launches(declare_rack("direct", oss=build_vllm("direct"))).services[
        "oss"
    ]
    return head, worker


def test_planned_ranks_do_not_differ() -> None:
    assert list(find_rank_differences(plan_pair(), PER_NODE_NAMES)) == []


def test_a_planted_variable_is_found() -> None:
    head, worker = plan_pair()
    planted = replace(worker, environment={**worker.environment, "NCCL_ALGO": "Ring"})
    (problem,) = find_rank_differences((head, planted), PER_NODE_NAMES)
    assert problem.message == "ranks 0 (spark-1) and 1 (spark-2) differ in NCCL_ALGO"


def test_a_planted_argument_is_found() -> None:
    head, worker = plan_pair()
    planted = replace(worker, argv=(*worker.argv, "--enforce-eager"))
    (problem,) = find_rank_differences((head, planted), PER_NODE_NAMES)
    assert "their arguments" in problem.message


@pytest.mark.parametrize("change", [{"image": "other:1"}, {"devices": ()}, {"ulimits": {}}])
def test_a_planted_container_setting_is_found(change: dict[str, object]) -> None:
    head, worker = plan_pair()
    (problem,) = find_rank_differences((head, replace(worker, **change)), PER_NODE_NAMES)  # type: ignore[arg-type]
    assert problem.message.endswith(next(iter(change)))


def test_a_planted_file_is_found() -> None:
    head, worker = plan_pair()
    planted = replace(worker, files=(replace(worker.files[0], text="exit 1\n"),))
    (problem,) = find_rank_differences((head, planted), PER_NODE_NAMES)
    assert problem.message.endswith("/etc/sparkform/start")


def test_two_services_on_one_port_of_one_node_clash() -> None:
    declaration = declare_rack(
        "direct",
        one=build_vllm("none", nodes=["spark-1"], port=29502),
        two=build_vllm("direct"),
    )
    (problem,) = plan_rack_launches(declaration).problems
    assert "port 29502 on spark-1 (rendezvous) is taken by service one (API)" in problem.message


def test_services_on_different_nodes_do_not_clash() -> None:
    declaration = declare_rack(
        "direct",
        one=build_vllm("none", nodes=["spark-1"]),
        two=build_vllm("none", nodes=["spark-2"]),
    )
    assert plan_rack_launches(declaration).problems == ()


def test_a_launch_clashes_with_itself() -> None:
    (problem,) = plan_rack_launches(
        declare_rack("direct", oss=build_vllm("direct", port=29501))
    ).problems
    assert "is taken by service oss (API)" in problem.message


def test_loopback_addresses_do_not_meet() -> None:
    head, worker = plan_pair()
    loopback_launch = replace(head, ports=(replace(head.ports[0], address="127.0.0.1"),))
    management_launch = replace(
        worker, node=head.node, ports=(replace(head.ports[0], address="10.0.0.11"),)
    )
    assert list(find_port_clashes((loopback_launch, management_launch))) == []


def test_a_planted_secret_is_found_by_value_and_by_looks() -> None:
    head, _ = plan_pair()
    by_value = replace(head, argv=(*head.argv, "correct horse"))
    by_looks = replace(head, argv=(*head.argv, "nvapi-" + "x" * 20))
    assert list(find_shown_secrets((head,), ["correct horse"])) == []
    assert len(list(find_shown_secrets((by_value,), ["correct horse"]))) == 1
    assert len(list(find_shown_secrets((by_looks,)))) == 1


def test_the_digest_follows_content_alone() -> None:
    launches, replanned = plan_pair(), plan_pair()
    assert hash_launches(launches) == hash_launches(replanned)
    reworded = replace(launches[0], unproven=("new words",))
    assert hash_launches((reworded, launches[1])) == hash_launches(launches)
    assert hash_launches(launches[::-1]) != hash_launches(launches)


@pytest.mark.parametrize(
    "change", [{"gpuMemoryUtilization": 0.79}, {"port": 8001}, {"environment": {"A": "1"}}]
)
def test_a_changed_declaration_changes_the_digest(change: dict[str, object]) -> None:
    before = plan_rack_launches(declare_rack("direct", oss=build_vllm("direct"))).services["oss"]
    after = plan_rack_launches(declare_rack("direct", oss=build_vllm("direct", **change))).services[
        "oss"
    ]
    assert hash_launches(before) != hash_launches(after)


def test_models_that_arrive_do_not_change_the_digest() -> None:
    from tests.unit.launch.racks import build_spark

    path = "/var/lib/sparkform/models/hub/models--openai--gpt-oss-120b/snapshots/0"
    model = {
        "handle": "openai/gpt-oss-120b",
        "revision": "0",
        "path": path,
        "layout": "cache",
        "bytes": 1,
        "complete": True,
        "missing": [],
    }
    reports = {"spark-1": build_spark(0, models=[model]), "spark-2": build_spark(1)}
    declaration = declare_rack("direct", oss=build_vllm("direct"))
    assert hash_launches(plan_rack_launches(declaration, reports).services["oss"]) == hash_launches(
        plan_rack_launches(declaration).services["oss"]
    )


def test_a_world_that_is_not_the_number_of_nodes_is_refused() -> None:
    (problem,) = plan_rack_launches(
        declare_rack("direct", qwen=build_trtllm("direct", tensorParallel=1))
    ).problems
    assert problem.got == "1 x 1 x 1 = 1 for 2 nodes"
