"""Good declarations that each test changes in one place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from sparkform.config import Declaration, parse_config
from sparkform.errors import InputError, Problem

ROOT = Path(__file__).parents[3]
STACKS = (ROOT / "Pulumi.spark.yaml", ROOT / "Pulumi.spark-switch.yaml")

# The public halves of throw-away keys that were made for these tests.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRqga9NJX5YJaz2i22pDBcROTqDkpoMuPwAr3Dq4j6U"
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBL+ez1D6nRkfFiqR6X"
    "jklCq72t1oEjeLemum8IrBNS/WKuDb5bKCWBQTrOaDzJQ4tXgrF79WQj1SiB2Mm6hpRUs="
)


def build_cluster(nodes: int = 2, /, **changes: object) -> dict[str, Any]:
    """A cluster block; `changes` replace its keys."""
    listed = [
        {"name": f"spark-{position + 1}", "host": f"10.0.0.{position + 1}"}
        for position in range(nodes)
    ]
    topology = {1: "none", 2: "direct", 3: "ring"}.get(nodes, "switch")
    return {"user": "nvidia", "nodes": listed, "fabric": {"topology": topology}} | changes


def trtllm(**changes: object) -> dict[str, Any]:
    """A TensorRT-LLM service; `changes` replace its keys."""
    return {
        "engine": "trtllm",
        "runtime": "swarm",
        "image": "nvcr.io/nvidia/tensorrt-llm/release:1.2.1",
        "model": "nvidia/Qwen3-235B-A22B-FP4",
        "tensorParallel": 2,
        "port": 8355,
    } | changes


def vllm(**changes: object) -> dict[str, Any]:
    """A vLLM service; `changes` replace its keys."""
    return {
        "engine": "vllm",
        "runtime": "container",
        "image": "nvcr.io/nvidia/vllm:26.05.post1-py3",
        "model": "openai/gpt-oss-120b",
        "port": 8000,
    } | changes


def find_problems(block: object, services: object = None) -> list[Problem]:
    """Every problem of a declaration; none if it is good."""
    try:
        parse_config(block, services)
    except InputError as error:
        return list(error.problems)
    return []


def find_problem(block: object, services: object = None) -> Problem:
    """The only problem of a declaration."""
    reported = find_problems(block, services)
    assert len(reported) == 1, [str(problem) for problem in reported]
    return reported[0]


def build_changed_cluster(position: int, nodes: int = 2, /, **changes: object) -> dict[str, Any]:
    """A cluster of which one node is changed."""
    block = copy.deepcopy(build_cluster(nodes))
    block["nodes"][position] |= changes
    return block


def build_declaration(block: object, services: object = None) -> Declaration:
    """A declaration that must be good."""
    reported = find_problems(block, services)
    if reported:
        pytest.fail("\n".join(map(str, reported)))
    return parse_config(block, services)
