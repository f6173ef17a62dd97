"""What the step `ready` is asked, from declarations and their launches."""

from __future__ import annotations

from typing import Any

import pytest

from node.host import typed_json
from node.host.typed_json import to_fields
from node.readiness.target import WatchTarget, find_target
from node.readiness.want import Want
from node.supervision.rank_watch import build_watch_target
from sparkform.config import Declaration
from sparkform.fabric.network import plan_network
from sparkform.launch.ports import FIRST_SUPERVISOR_PORT
from sparkform.plan.readiness import build_ready_want
from sparkform.plan.supervision import build_targets
from tests.unit.launch.racks import (
    build_sparks,
    build_trtllm,
    build_vllm,
    declare_rack,
    plan_rack_launches,
)

KEY = frozenset({"apiKey"})


def build_want(declaration: Declaration, count: int, secrets: frozenset[str] = frozenset()) -> Any:
    reports = build_sparks(count)
    plan = plan_rack_launches(declaration, reports, secrets=secrets)
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    network, _ = plan_network(declaration, reports)
    want = build_ready_want(declaration, "oss", plan.services["oss"], network, "4be1-1", {})
    return to_fields(want)


def find_watch_target(want: Any, node: str) -> WatchTarget:
    """As the node reads it out of its document."""
    return find_target(typed_json.parse(Want, want, "want"), node)


def test_every_member_is_named_with_its_node_and_address() -> None:
    want = build_want(declare_rack("direct", oss=build_vllm("direct")), 2)
    assert want["members"] == [
        {
            "rank": 0,
            "node": "spark-1",
            "container": "sparkform-oss-0",
            "management_address": "10.0.0.11",
        },
        {
            "rank": 1,
            "node": "spark-2",
            "container": "sparkform-oss-1",
            "management_address": "10.0.0.12",
        },
    ]
    assert find_watch_target(want, "spark-2").local_rank.rank == 1


def test_a_native_member_is_its_unit() -> None:
    want = build_want(declare_rack("none", oss=build_vllm("none", runtime="native", image=None)), 1)
    assert want["members"][0]["unit"] == "sparkform-oss.service"


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("0.0.0.0", "http://10.0.0.11:8000"),
        ("::", "http://10.0.0.11:8000"),
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_the_address_is_the_one_that_others_reach(bind: str, url: str) -> None:
    want = build_want(declare_rack("none", oss=build_vllm("none", bind=bind, port=8000)), 1)
    assert want["url"] == url
    assert find_watch_target(want, "spark-1").is_loopback == (bind in ("127.0.0.1", "::1"))


def test_the_key_is_named_by_its_file_and_only_where_there_is_one() -> None:
    declaration = declare_rack("direct", oss=build_vllm("direct"))
    assert build_want(declaration, 2)["key_file"] is None
    path = build_want(declaration, 2, KEY)["key_file"]
    assert path.startswith("/var/lib/sparkform/services/oss/secrets/")


@pytest.mark.parametrize(
    ("variables", "over_rdma"),
    [({}, True), ({"NCCL_IB_DISABLE": "1"}, False), ({"NCCL_NET": "Socket"}, False)],
)
def test_sockets_are_a_fault_only_where_nobody_asked_for_them(variables, over_rdma) -> None:
    declaration = declare_rack("direct", oss=build_vllm("direct", environment=variables))
    assert build_want(declaration, 2)["over_rdma"] is over_rdma


def test_one_rank_alone_needs_no_rdma() -> None:
    assert build_want(declare_rack("none", oss=build_trtllm("none")), 1)["over_rdma"] is False


@pytest.mark.parametrize("task", ["generate", "embed", "rerank"])
def test_the_probe_asks_for_what_the_service_answers_with(task: str) -> None:
    declaration = declare_rack("none", oss=build_vllm("none", task=task))
    want = build_want(declaration, 1)
    assert find_watch_target(want, "spark-1").task == task
    reports = build_sparks(1)
    network, _ = plan_network(declaration, reports)
    launches = plan_rack_launches(declaration, reports).services["oss"]
    target = build_targets(declaration, "oss", launches, network, "4be1-1")["spark-1"]
    assert build_watch_target(target, target.ranks[0]).task == task


def test_the_watches_meet_where_no_other_service_of_the_node_listens() -> None:
    wide = build_vllm("direct", gpuMemoryUtilization=0.3)
    declaration = declare_rack("direct", first=wide | {"port": 8001}, oss=wide)
    want = build_want(declaration, 2)
    assert want["watch_port"] == FIRST_SUPERVISOR_PORT + 1
