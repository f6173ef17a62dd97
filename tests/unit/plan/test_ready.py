"""What the step `ready` is asked, from declarations and their launches."""

from __future__ import annotations

from typing import Any

import pytest

from node.readiness.wanted import parse
from sparkform.config import Spec
from sparkform.fabric.network import plan_network
from sparkform.plan.readiness import ready_want
from tests.unit.launch.racks import documents, on, planned, trt, vll

KEY = frozenset({"apiKey"})


def want_of(declared: Spec, count: int, secrets: frozenset[str] = frozenset()) -> Any:
    found = documents(count)
    plan = planned(declared, found, secrets=secrets)
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    network, _ = plan_network(declared, found)
    return ready_want(declared, "oss", plan.services["oss"], network, "4be1-1", {})


def test_every_member_is_named_with_its_node_and_address() -> None:
    want = want_of(on("direct", oss=vll("direct")), 2)
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
    assert parse(want, "spark-2").here.rank == 1


def test_a_native_member_is_its_unit() -> None:
    want = want_of(on("none", oss=vll("none", runtime="native", image=None)), 1)
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
    want = want_of(on("none", oss=vll("none", bind=bind, port=8000)), 1)
    assert want["url"] == url
    assert parse(want, "spark-1").is_loopback == (bind in ("127.0.0.1", "::1"))


def test_the_key_is_named_by_its_file_and_only_where_there_is_one() -> None:
    declared = on("direct", oss=vll("direct"))
    assert want_of(declared, 2)["key_file"] is None
    path = want_of(declared, 2, KEY)["key_file"]
    assert path.startswith("/var/lib/sparkform/services/oss/secrets/")


@pytest.mark.parametrize(
    ("variables", "over_rdma"),
    [({}, True), ({"NCCL_IB_DISABLE": "1"}, False), ({"NCCL_NET": "Socket"}, False)],
)
def test_sockets_are_a_fault_only_where_nobody_asked_for_them(variables, over_rdma) -> None:
    declared = on("direct", oss=vll("direct", environment=variables))
    assert want_of(declared, 2)["over_rdma"] is over_rdma


def test_one_rank_alone_needs_no_rdma() -> None:
    assert want_of(on("none", oss=trt("none")), 1)["over_rdma"] is False
