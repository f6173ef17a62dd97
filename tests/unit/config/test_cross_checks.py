"""What only several keys together show: each case is one change away from a good declaration."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.config.support import cluster, problems, spec, the_problem, trtllm, vllm, with_node

FOUR = ["enp1s0f0np0", "enP2p1s0f0np0", "enp1s0f1np1", "enP2p1s0f1np1"]


def fabric(topology: str, **changes: Any) -> dict[str, Any]:
    return {"topology": topology} | changes


CASES: list[tuple[dict[str, Any], str, str]] = [
    (with_node(1, name="spark-1"), "cluster.nodes[1].name", "is the same as that of"),
    (with_node(1, host="10.0.0.1"), "cluster.nodes[1].host", "is the same as that of"),
    (with_node(1, index=0), "cluster.nodes[1].index", "is the same as that of"),
    (with_node(0, index=1), "cluster.nodes[1].index", "is the same as that of"),
    (with_node(0, away=True), "cluster.nodes[0].away", "takes the head away"),
    (with_node(2, 3, index=5), "cluster.nodes[2].index", "is too large for a ring"),
    (with_node(2, 3, qsfpPort=0), "cluster.nodes[2].qsfpPort", "chooses one port on a ring"),
    (with_node(0, interfaces=FOUR), "cluster.nodes[0].interfaces", "names the wrong number"),
    (with_node(0, 3, interfaces=FOUR[:2]), "cluster.nodes[0].interfaces", "names the wrong"),
    (with_node(0, interfaces=["a", "a"]), "cluster.nodes[0].interfaces", "names an interface"),
    (with_node(0, interfaces=["a", "b"], qsfpPort=1), "cluster.nodes[0].qsfpPort", "is given"),
    (with_node(1, host="192.168.101.9"), "cluster.nodes[1].host", "lies in cluster.fabric.pool"),
    (
        with_node(1, managementAddress="192.168.101.9"),
        "cluster.nodes[1].managementAddress",
        "lies in cluster.fabric.pool",
    ),
    (cluster(1, fabric=fabric("direct")), "cluster.fabric.topology", "direct needs exactly 2"),
    (cluster(3, fabric=fabric("direct")), "cluster.fabric.topology", "direct needs exactly 2"),
    (cluster(4, fabric=fabric("ring")), "cluster.fabric.topology", "ring needs exactly 3"),
    (
        cluster(8, fabric=fabric("switch", pool="10.9.0.0/25")),
        "cluster.fabric.pool",
        "has no room for index 7",
    ),
    (
        cluster(swarm={"addressPool": "192.168.0.0/16"}),
        "cluster.swarm.addressPool",
        "overlaps cluster.fabric.pool",
    ),
]


@pytest.mark.parametrize(("block", "path", "what"), CASES)
def test_a_contradiction_in_the_cluster_is_found(
    block: dict[str, Any], path: str, what: str
) -> None:
    problem = the_problem(block)
    assert problem.path == path
    assert problem.what.startswith(what)


def test_two_nodes_with_one_management_address_are_refused() -> None:
    block = with_node(0, managementAddress="10.9.0.1")
    block["nodes"][1]["managementAddress"] = "10.9.0.1"
    assert the_problem(block).path == "cluster.nodes[1].managementAddress"


@pytest.mark.parametrize(
    "block",
    [
        cluster(1),
        cluster(2),
        cluster(3),
        cluster(8),
        cluster(3, fabric=fabric("none")),
        cluster(1, fabric=fabric("switch")),
        cluster(2, fabric=fabric("direct", pool="10.9.0.0/25")),
        with_node(1, host="10.0.0.1", port=2222),
        with_node(1, away=True),
        with_node(1, index=7),
        with_node(0, interfaces=FOUR[:2]),
        with_node(0, 3, interfaces=FOUR),
        with_node(0, 1, host="192.168.101.9"),
    ],
)
def test_a_sound_cluster_passes(block: dict[str, Any]) -> None:
    assert problems(block) == []


def both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {"one": first, "two": second}


SERVICES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (cluster(), {"q": trtllm(nodes=["spark-3"])}, "services.q.nodes[0]", "is no node"),
    (cluster(), {"q": trtllm(nodes=["spark-1"] * 2)}, "services.q.nodes[1]", "is named twice"),
    (with_node(1, away=True), {"q": trtllm(nodes=["spark-2"])}, "services.q.nodes[0]", "is away"),
    (cluster(2, fabric=fabric("none")), {"q": trtllm()}, "services.q.nodes", "are several"),
    (cluster(swarm={"enabled": False}), {"q": trtllm()}, "services.q.runtime", "is swarm, and"),
    (cluster(), {"q": trtllm(port=2377)}, "services.q.port", "is taken"),
    (cluster(), {"q": trtllm(port=22)}, "services.q.port", "is taken"),
    (cluster(), both(vllm(), vllm()), "services.two.port", "is the port of service one"),
    (
        cluster(),
        both(vllm(bind="10.0.0.1"), vllm(nodes=["spark-1"])),
        "services.two.port",
        "is the port of service one",
    ),
    (cluster(), {"q": trtllm(runtime="native")}, "services.q.image", "is given with runtime"),
    (cluster(), {"q": trtllm(revision="v1", modelPath="/m")}, "services.q.revision", "is given"),
]


@pytest.mark.parametrize(("block", "services", "path", "what"), SERVICES)
def test_a_contradiction_of_a_service_is_found(
    block: dict[str, Any], services: dict[str, Any], path: str, what: str
) -> None:
    problem = the_problem(block, services)
    assert problem.path == path
    assert problem.what.startswith(what)


def without(service: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in service.items() if key not in keys}


def test_a_container_needs_an_image_and_a_service_a_model() -> None:
    services = {"a": without(trtllm(), "image"), "b": without(vllm(), "model")}
    found = [(problem.path, problem.what) for problem in problems(cluster(), services)]
    assert found == [("services.a.image", "is missing"), ("services.b.model", "is missing")]


@pytest.mark.parametrize(
    ("block", "services"),
    [
        (cluster(), both(vllm(nodes=["spark-1"]), vllm(nodes=["spark-2"]))),
        (cluster(), both(vllm(), vllm(nodes=["spark-2"]))),
        (cluster(), both(vllm(bind="10.0.0.1"), vllm(bind="10.0.0.9"))),
        (cluster(), both(vllm(), vllm(port=8001))),
        (cluster(), {"q": vllm(port=2377)}),
        (cluster(2, fabric=fabric("none")), {"q": vllm(nodes=["spark-2"])}),
        (cluster(), {"q": without(trtllm(runtime="native"), "image")}),
        (cluster(), {"q": without(trtllm(modelPath="/m"), "model")}),
        (with_node(1, away=True) | {"fabric": fabric("none")}, {"q": trtllm()}),
    ],
)
def test_sound_services_pass(block: dict[str, Any], services: dict[str, Any]) -> None:
    assert spec(block, services).services.keys() == services.keys()
