"""What follows from a declaration once its defaults are filled in."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest

from sparkform.config import find_host_address, parse_config
from tests.unit.config.support import (
    build_changed_cluster,
    build_cluster,
    build_declaration,
    trtllm,
    vllm,
)


def test_a_node_takes_what_it_does_not_declare_from_the_cluster() -> None:
    block = build_changed_cluster(1, user="ada", modelDirectory="/data", port=2222, index=4)
    first, second = build_declaration(block).nodes
    assert (first.user, first.model_directory) == ("nvidia", "/var/lib/sparkform/models")
    assert (first.port, first.index, first.position) == (22, 0, 0)
    assert (second.user, second.model_directory, second.port) == ("ada", "/data", 2222)
    assert (second.index, second.position) == (4, 1)


def test_the_head_is_the_first_node() -> None:
    declared = build_declaration(build_cluster(3))
    assert declared.head.name == "spark-1"
    assert [node.is_head for node in declared.nodes] == [True, False, False]


def test_nodes_that_are_away_stay_declared_but_are_not_active() -> None:
    declared = build_declaration(build_changed_cluster(1, 3, away=True))
    assert [node.name for node in declared.active_nodes] == ["spark-1", "spark-3"]
    assert len(declared.nodes) == 3
    assert declared.get_node("spark-2").away


@pytest.mark.parametrize(("nodes", "mtu"), [(1, "inherit"), (2, 9000), (3, 9000), (4, "inherit")])
def test_the_mtu_follows_from_the_topology(nodes: int, mtu: object) -> None:
    assert build_declaration(build_cluster(nodes)).fabric_mtu == mtu


def test_a_cluster_without_a_fabric_block_has_none() -> None:
    block = build_cluster(1)
    del block["fabric"]
    assert build_declaration(block).cluster.fabric.topology == "none"


def test_the_default_pool_gives_the_addresses_of_nvidias_own_set_up() -> None:
    subnets = build_declaration(build_cluster()).fabric_subnets
    assert len(subnets) == 8
    assert [str(subnet) for subnet in subnets[:2]] == ["192.168.100.0/25", "192.168.100.128/25"]
    assert find_host_address(subnets[0], 0) == ip_address("192.168.100.10")
    assert find_host_address(subnets[0], 1) == ip_address("192.168.100.11")


@pytest.mark.parametrize(("nodes", "subnets"), [(3, 8), (4, 8), (5, 16), (8, 16)])
def test_a_ring_has_two_subnets_for_each_cable(nodes: int, subnets: int) -> None:
    cluster = build_cluster(nodes, fabric={"topology": "ring", "pool": "10.9.0.0/16"})
    assert len(build_declaration(cluster).fabric_subnets) == subnets >= 2 * nodes


@pytest.mark.parametrize(
    ("swarm", "services", "enabled"),
    [
        ({}, {}, False),
        ({}, {"q": trtllm()}, True),
        ({}, {"q": vllm()}, False),
        ({"enabled": True}, {}, True),
    ],
)
def test_swarm_is_on_when_declared_or_needed(
    swarm: object, services: object, enabled: bool
) -> None:
    assert build_declaration(build_cluster(swarm=swarm), services).swarm_enabled is enabled


def test_a_service_runs_on_its_nodes_in_the_order_given() -> None:
    services = {
        "all": trtllm(runtime="container"),
        "some": vllm(nodes=["spark-2", "spark-1"], port=1234),
    }
    declared = build_declaration(build_cluster(), services)
    assert [node.name for node in declared.list_service_nodes("all")] == ["spark-1", "spark-2"]
    assert [node.name for node in declared.list_service_nodes("some")] == ["spark-2", "spark-1"]


def test_all_reduce_is_nccl_between_nodes_and_the_engines_choice_on_one() -> None:
    services = {
        "two": trtllm(runtime="container"),
        "one": trtllm(runtime="container", nodes=["spark-1"], port=1),
        "said": trtllm(runtime="container", allReduce="UB", port=2),
        "vllm": vllm(),
    }
    declared = build_declaration(build_cluster(), services)
    strategies = {name: declared.get_all_reduce(name) for name in services}
    assert strategies == {"two": "NCCL", "one": "AUTO", "said": "UB", "vllm": None}


def test_the_served_name_is_the_model_unless_said_otherwise() -> None:
    local = {key: value for key, value in vllm(modelPath="/m", port=3).items() if key != "model"}
    services = {"a": vllm(), "b": vllm(servedName="oss", port=2), "c": local}
    declared = build_declaration(build_cluster(), services)
    assert [declared.get_served_name(name) for name in services] == [
        "openai/gpt-oss-120b",
        "oss",
        "c",
    ]


def convert_to_floats(value: object) -> object:
    """`value` with each integer as a float, as Pulumi hands props to a policy."""
    if isinstance(value, dict):
        return {key: convert_to_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [convert_to_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_the_plain_form_reads_back_the_same_even_with_numbers_as_floats() -> None:
    block = build_changed_cluster(1, 3, memoryGib=128, hostKey=None)
    del block["nodes"][1]["hostKey"]
    services = {
        "qwen": trtllm(
            runtime="container",
            cudaGraph={"maxBatchSize": 8},
            environment={"A": "1"},
            extraArgs=["--x"],
        ),
        "oss": vllm(speculative={"method": "mtp", "tokens": 2}),
    }
    declared = build_declaration(block, services)
    dumped = json.loads(json.dumps(declared.to_plain()))
    again = parse_config(
        convert_to_floats(dumped["cluster"]), convert_to_floats(dumped["services"])
    )
    assert again == declared
    assert again.to_plain() == dumped
    assert dumped["services"]["qwen"].pop("bind") == "0.0.0.0"
    # Where the gateway is decides on an address that is not named.
    assert dumped["services"]["qwen"] == declared.service_to_plain("qwen")


def test_the_plain_form_writes_defaults_out_and_leaves_absent_keys_out() -> None:
    dumped = build_declaration(build_cluster()).to_plain()
    assert dumped["cluster"]["nodes"][0] == {
        "name": "spark-1",
        "host": "10.0.0.1",
        "port": 22,
        "qsfpPort": "auto",
        "away": False,
    }


def test_a_spec_cannot_be_changed() -> None:
    declared = build_declaration(build_cluster())
    with pytest.raises(ValueError, match="frozen"):
        declared.cluster.fabric.pool = "10.0.0.0/8"  # type: ignore[misc]
