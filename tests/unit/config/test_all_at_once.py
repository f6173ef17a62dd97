"""One run shows every mistake, whichever kind it is of, and each once."""

from __future__ import annotations

from typing import Any

import pytest

from sparkform.config.parse import MOST_PROBLEMS
from tests.unit.config.support import cluster, problems, spec, the_problem, trtllm, vllm


def test_mistakes_of_all_kinds_come_in_one_report() -> None:
    block = cluster(3, fabric={"topology": "direct", "mtu": 1})
    block["nodes"][2] |= {"name": "spark-1", "port": "ssh"}
    services = {
        "Qwen": trtllm(nodes=["spark-9"], revision=None),
        "oss": vllm(enforceEger=True),
        "llama": {"engine": "vlm"},
    }
    assert {problem.path for problem in problems(block, services)} == {
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
    block = cluster(fabric={"topology": "direkt"})
    block["nodes"][1]["host"] = block["nodes"][0]["host"]
    assert {problem.path for problem in problems(block)} == {
        "cluster.fabric.topology",
        "cluster.nodes[1].host",
    }


def test_an_unreadable_node_is_no_missing_node() -> None:
    block = cluster()
    block["nodes"][1]["port"] = "ssh"
    services = {"qwen": trtllm(nodes=["spark-1", "spark-2"])}
    assert the_problem(block, services).path == "cluster.nodes[1].port"


def test_a_long_report_is_cut_and_says_so() -> None:
    block = cluster(waive=[{"rule": 1, "reason": 2}] * MOST_PROBLEMS)
    found = problems(block)
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1].what == f"and {MOST_PROBLEMS} more problems"


@pytest.mark.parametrize(
    ("block", "services", "path", "what"),
    [
        (None, None, "cluster", "is missing"),
        ([], None, "cluster", "must be a mapping"),
        ("{}", None, "cluster", "must be a mapping"),
        (cluster(), [], "services", "must be a mapping"),
        (cluster(), "qwen", "services", "must be a mapping"),
        (cluster(), {"qwen": 1}, "services.qwen", "must be a mapping"),
        (cluster(fabric=None), None, "cluster.fabric", "has no value"),
        (cluster() | {"nodes": {}}, None, "cluster.nodes", "must be a list"),
        (cluster() | {"nodes": ["spark-1"]}, None, "cluster.nodes[0]", "must be a mapping"),
        (cluster() | {1: 2}, None, "cluster.1", "is a key that is not text"),
    ],
)
def test_a_block_of_the_wrong_form_is_named(
    block: Any, services: Any, path: str, what: str
) -> None:
    found = problems(block, services)
    assert (found[0].path, found[0].what) == (path, what)


def test_no_services_means_the_rack_only() -> None:
    assert spec(cluster()).services == spec(cluster(), {}).services == {}


def test_a_problem_reads_as_one_sentence() -> None:
    assert str(the_problem(cluster(fabric={"topology": "ring"}))) == (
        "cluster.fabric.topology: ring needs exactly 3 nodes (got 2); allowed: direct with 2 "
        "nodes, ring with 3, switch or none with any number; because each Spark has two ports, "
        "and NCCL's paths on a ring of four or more are unproven"
    )
