"""One run shows every mistake, whichever kind it is of, and each once."""

from __future__ import annotations

import pytest

from sparkform.config.parse import MOST_PROBLEMS
from tests.unit.config.support import (
    build_cluster,
    build_declaration,
    find_problem,
    find_problems,
    trtllm,
    vllm,
)


def test_mistakes_of_all_kinds_come_in_one_report() -> None:
    block = build_cluster(3, fabric={"topology": "direct", "mtu": 1})
    block["nodes"][2] |= {"name": "spark-1", "port": "ssh"}
    services = {
        "Qwen": trtllm(nodes=["spark-9"], revision=None),
        "oss": vllm(enforceEger=True),
        "llama": {"engine": "vlm"},
    }
    assert {problem.path for problem in find_problems(block, services)} == {
        "cluster.fabric.mtu",
        "cluster.nodes[2].port",
        "cluster.nodes[2].name",
        "services.Qwen",
        "services.Qwen.nodes[0]",
        "services.Qwen.revision",
        "services.oss.enforceEger",
        "services.llama.engine",
        "services.llama.runtime",
        "services.llama.port",
        "services.llama.model",
    }


def test_an_unreadable_fabric_does_not_hide_that_two_nodes_are_one() -> None:
    block = build_cluster(fabric={"topology": "direkt"})
    block["nodes"][1]["host"] = block["nodes"][0]["host"]
    assert {problem.path for problem in find_problems(block)} == {
        "cluster.fabric.topology",
        "cluster.nodes[1].host",
    }


def test_an_unreadable_node_is_no_missing_node() -> None:
    block = build_cluster()
    block["nodes"][1]["port"] = "ssh"
    services = {"qwen": trtllm(nodes=["spark-1", "spark-2"])}
    assert find_problem(block, services).path == "cluster.nodes[1].port"


def test_a_long_report_is_cut_and_says_so() -> None:
    block = build_cluster(waive=[{"rule": 1, "reason": 2}] * MOST_PROBLEMS)
    reported = find_problems(block)
    assert len(reported) == MOST_PROBLEMS + 1
    assert reported[-1].message == f"and {MOST_PROBLEMS} more problems"


@pytest.mark.parametrize(
    ("block", "services", "path", "message"),
    [
        (None, None, "cluster", "is missing"),
        ([], None, "cluster", "must be a mapping"),
        ("{}", None, "cluster", "must be a mapping"),
        (build_cluster(), [], "services", "must be a mapping"),
        (build_cluster(), "qwen", "services", "must be a mapping"),
        (build_cluster(), {"qwen": 1}, "services.qwen", "must be a mapping"),
        (build_cluster(fabric=None), None, "cluster.fabric", "has no value"),
        (build_cluster() | {"nodes": {}}, None, "cluster.nodes", "must be a list"),
        (build_cluster() | {"nodes": ["spark-1"]}, None, "cluster.nodes[0]", "must be a mapping"),
        (build_cluster() | {1: 2}, None, "cluster.1", "is a key that is not text"),
    ],
)
def test_a_block_of_the_wrong_form_is_named(
    block: object, services: object, path: str, message: str
) -> None:
    reported = find_problems(block, services)
    assert (reported[0].path, reported[0].message) == (path, message)


def test_no_services_means_the_rack_only() -> None:
    assert (
        build_declaration(build_cluster()).services
        == build_declaration(build_cluster(), {}).services
        == {}
    )


def test_a_problem_reads_as_one_sentence() -> None:
    assert str(find_problem(build_cluster(fabric={"topology": "ring"}))) == (
        "cluster.fabric.topology: ring needs 3 to 8 nodes (got 2); allowed: direct with 2 nodes, "
        "ring with 3 to 8, switch or none with any number; because each Spark is cabled to the "
        "next and to the one before"
    )
