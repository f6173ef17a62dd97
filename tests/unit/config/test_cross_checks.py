"""What only several keys together show: each case is one change away from a good declaration."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.config.support import (
    build_changed_cluster,
    build_cluster,
    build_declaration,
    find_problem,
    find_problems,
    trtllm,
    vllm,
)

FOUR = ["enp1s0f0np0", "enP2p1s0f0np0", "enp1s0f1np1", "enP2p1s0f1np1"]


def build_fabric(topology: str, **changes: object) -> dict[str, object]:
    return {"topology": topology} | changes


CASES: list[tuple[dict[str, Any], str, str]] = [
    (build_changed_cluster(1, name="spark-1"), "cluster.nodes[1].name", "is the same as that of"),
    (build_changed_cluster(1, host="10.0.0.1"), "cluster.nodes[1].host", "is the same as that of"),
    (build_changed_cluster(1, index=0), "cluster.nodes[1].index", "is the same as that of"),
    (build_changed_cluster(0, index=1), "cluster.nodes[1].index", "is the same as that of"),
    (build_changed_cluster(0, away=True), "cluster.nodes[0].away", "marks the head as away"),
    (build_changed_cluster(2, 3, index=5), "cluster.nodes[2].index", "is too large for a ring"),
    (
        build_changed_cluster(2, 3, qsfpPort=0),
        "cluster.nodes[2].qsfpPort",
        "chooses one port on a ring",
    ),
    (
        build_changed_cluster(0, interfaces=FOUR),
        "cluster.nodes[0].interfaces",
        "names the wrong number",
    ),
    (
        build_changed_cluster(0, 3, interfaces=FOUR[:2]),
        "cluster.nodes[0].interfaces",
        "names the wrong",
    ),
    (
        build_changed_cluster(0, interfaces=["a", "a"]),
        "cluster.nodes[0].interfaces",
        "repeats an interface",
    ),
    (
        build_changed_cluster(0, interfaces=["a", "b"], qsfpPort=1),
        "cluster.nodes[0].qsfpPort",
        "conflicts with interfaces",
    ),
    (
        build_changed_cluster(1, host="192.168.101.9"),
        "cluster.nodes[1].host",
        "lies in cluster.fabric.pool",
    ),
    (
        build_changed_cluster(1, managementAddress="192.168.101.9"),
        "cluster.nodes[1].managementAddress",
        "lies in cluster.fabric.pool",
    ),
    (
        build_cluster(1, fabric=build_fabric("direct")),
        "cluster.fabric.topology",
        "direct needs 2 nodes",
    ),
    (
        build_cluster(3, fabric=build_fabric("direct")),
        "cluster.fabric.topology",
        "direct needs 2 nodes",
    ),
    (
        build_cluster(2, fabric=build_fabric("ring")),
        "cluster.fabric.topology",
        "ring needs 3 to 8 nodes",
    ),
    (
        build_cluster(8, fabric=build_fabric("switch", pool="10.9.0.0/25")),
        "cluster.fabric.pool",
        "has no room for index 7",
    ),
    (
        build_cluster(8, fabric=build_fabric("ring", pool="10.9.0.0/24")),
        "cluster.fabric.pool",
        "has no room for index 7",
    ),
    (
        build_cluster(swarm={"addressPool": "192.168.0.0/16"}),
        "cluster.swarm.addressPool",
        "overlaps cluster.fabric.pool",
    ),
]


@pytest.mark.parametrize(("block", "path", "message"), CASES)
def test_a_contradiction_in_the_cluster_is_found(block: object, path: str, message: str) -> None:
    problem = find_problem(block)
    assert problem.path == path
    assert problem.message.startswith(message)


def test_two_nodes_with_one_management_address_are_refused() -> None:
    block = build_changed_cluster(0, managementAddress="10.9.0.1")
    block["nodes"][1]["managementAddress"] = "10.9.0.1"
    assert find_problem(block).path == "cluster.nodes[1].managementAddress"


@pytest.mark.parametrize(
    "block",
    [
        build_cluster(1),
        build_cluster(2),
        build_cluster(3),
        build_cluster(8),
        build_cluster(3, fabric=build_fabric("none")),
        build_cluster(1, fabric=build_fabric("switch")),
        build_cluster(2, fabric=build_fabric("direct", pool="10.9.0.0/25")),
        build_changed_cluster(1, host="10.0.0.1", port=2222),
        build_changed_cluster(1, away=True),
        build_changed_cluster(1, index=7),
        build_changed_cluster(0, interfaces=FOUR[:2]),
        build_changed_cluster(0, 3, interfaces=FOUR),
        build_changed_cluster(0, 1, host="192.168.101.9"),
    ],
)
def test_a_sound_cluster_passes(block: object) -> None:
    assert find_problems(block) == []


def build_pair(first: object, second: object) -> dict[str, object]:
    return {"one": first, "two": second}


SERVICES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (build_cluster(), {"q": trtllm(nodes=["spark-3"])}, "services.q.nodes[0]", "is not a node"),
    (
        build_cluster(),
        {"q": trtllm(nodes=["spark-1"] * 2)},
        "services.q.nodes[1]",
        "is repeated",
    ),
    (
        build_changed_cluster(1, away=True),
        {"q": trtllm(nodes=["spark-2"])},
        "services.q.nodes[0]",
        "is away",
    ),
    (
        build_cluster(2, fabric=build_fabric("none")),
        {"q": trtllm()},
        "services.q.nodes",
        "lists several",
    ),
    (
        build_cluster(swarm={"enabled": False}),
        {"q": trtllm()},
        "services.q.runtime",
        "is swarm, but",
    ),
    (
        build_cluster(),
        build_pair(vllm(), vllm(port=8001, nodes=["spark-2"], runtime="swarm")),
        "services.two.nodes",
        "spark-2 runs service one",
    ),
    (
        build_cluster(),
        {"q": vllm(files={"a.jinja": "{{ a }}"}, chatTemplate="b.jinja")},
        "services.q.chatTemplate",
        "is none of the service's files",
    ),
    (build_cluster(), {"q": trtllm(port=2377)}, "services.q.port", "is in use"),
    (build_cluster(), {"q": trtllm(port=22)}, "services.q.port", "is in use"),
    (
        build_cluster(),
        build_pair(vllm(), vllm()),
        "services.two.port",
        "is also the port of service one",
    ),
    (
        build_cluster(),
        build_pair(vllm(bind="10.0.0.1"), vllm(nodes=["spark-1"])),
        "services.two.port",
        "is also the port of service one",
    ),
    (
        build_cluster(),
        {"q": trtllm(stallSeconds=600, restartWindowSeconds=600)},
        "services.q.restartWindowSeconds",
        "is not longer than stallSeconds",
    ),
    (
        build_cluster(),
        {"q": vllm(servedName="oss", adapters=[{"name": "oss", "model": "a/b"}])},
        "services.q.adapters[0].name",
        "is served already",
    ),
    (
        build_cluster(),
        {"q": vllm(adapters=[{"name": "law", "model": "a/b"}, {"name": "law", "model": "a/c"}])},
        "services.q.adapters[1].name",
        "is served already",
    ),
    (
        build_cluster(),
        {"q": vllm(task="embed", toolParser="hermes")},
        "services.q.toolParser",
        "is not allowed with task embed",
    ),
    (
        build_cluster(),
        {"q": vllm(task="rerank", speculative={"method": "ngram", "tokens": 3})},
        "services.q.speculative",
        "is not allowed with task rerank",
    ),
    (
        build_cluster(),
        {"q": trtllm(runtime="native")},
        "services.q.image",
        "is not allowed with runtime",
    ),
    (
        build_cluster(),
        {"q": trtllm(revision="v1", modelPath="/m")},
        "services.q.revision",
        "is not allowed",
    ),
]


@pytest.mark.parametrize(("block", "services", "path", "message"), SERVICES)
def test_a_contradiction_of_a_service_is_found(
    block: object, services: dict[str, object], path: str, message: str
) -> None:
    problem = find_problem(block, services)
    assert problem.path == path
    assert problem.message.startswith(message)


def remove_keys(service: dict[str, object], *keys: str) -> dict[str, object]:
    return {key: value for key, value in service.items() if key not in keys}


def test_a_container_needs_an_image_and_a_service_a_model() -> None:
    engine = trtllm(runtime="container")
    services = {"a": remove_keys(engine, "image"), "b": remove_keys(vllm(), "model")}
    reported = [
        (problem.path, problem.message) for problem in find_problems(build_cluster(), services)
    ]
    assert reported == [("services.a.image", "is missing"), ("services.b.model", "is missing")]


@pytest.mark.parametrize(
    ("block", "services"),
    [
        (build_cluster(), build_pair(vllm(nodes=["spark-1"]), vllm(nodes=["spark-2"]))),
        (build_cluster(), build_pair(vllm(), vllm(nodes=["spark-2"]))),
        (build_cluster(), build_pair(vllm(bind="10.0.0.1"), vllm(bind="10.0.0.9"))),
        (build_cluster(), build_pair(vllm(), vllm(port=8001))),
        (build_cluster(), {"q": vllm(port=2377)}),
        (build_cluster(2, fabric=build_fabric("none")), {"q": vllm(nodes=["spark-2"])}),
        (build_cluster(), {"q": remove_keys(trtllm(runtime="native"), "image")}),
        (build_cluster(), {"q": remove_keys(trtllm(modelPath="/m"), "model")}),
        (build_changed_cluster(1, away=True) | {"fabric": build_fabric("none")}, {"q": trtllm()}),
    ],
)
def test_sound_services_pass(block: object, services: dict[str, object]) -> None:
    assert build_declaration(block, services).services.keys() == services.keys()
