"""Racks of Sparks as facts, and services on them, for launches."""

from __future__ import annotations

from sparkform.config import Declaration
from sparkform.fabric.network import plan_network
from sparkform.launch import LaunchPlan, plan_launches
from sparkform.report.facts import NodeReport
from tests.support.node_reports import (
    MANAGEMENT,
    Fields,
    build_interfaces,
    build_report,
    build_route,
)
from tests.unit.config.support import build_cluster, build_declaration, trtllm, vllm

NODE_COUNTS = {"none": 1, "direct": 2, "ring": 3, "switch": 3}
HANDLE = "Qwen/Qwen3-8B"


def build_spark(position: int, management: str = MANAGEMENT, **facts: object) -> NodeReport:
    """A Spark with all four halves; `facts` replace those that are made here."""
    address = f"10.0.0.{11 + position}"
    base_facts: Fields = {
        "interfaces": build_interfaces(address, management),
        "routes": [build_route(address, management)],
        "models": [],
    }
    return build_report(base_facts | facts)


def build_sparks(count: int) -> dict[str, NodeReport]:
    return {f"spark-{position + 1}": build_spark(position) for position in range(count)}


def plan_rack_launches(
    declaration: Declaration,
    reports: dict[str, NodeReport] | None = None,
    secrets: frozenset[str] = frozenset(),
) -> LaunchPlan:
    """The launches of a declaration on a rack with these facts."""
    observed = build_sparks(len(declaration.nodes)) if reports is None else reports
    network, problems = plan_network(declaration, observed)
    assert problems == [], [str(problem) for problem in problems]
    return plan_launches(declaration, network, observed, secrets)


def declare_rack(topology: str, **services: object) -> Declaration:
    """A rack of that topology with these services."""
    block = build_cluster(NODE_COUNTS[topology], fabric={"topology": topology})
    return build_declaration(block, services)


def get_parallel_sizes(topology: str) -> dict[str, int]:
    """How a service covers all nodes: three ranks share no layer."""
    sizes = {"none": {}, "direct": {"tensorParallel": 2}}
    return sizes.get(topology, {"pipelineParallel": NODE_COUNTS[topology]})


def build_trtllm(topology: str, **changes: object) -> Fields:
    limits = {"maxBatchSize": 4, "maxSeqLen": 32768, "freeGpuMemoryFraction": 0.8}
    base = trtllm(**{"tensorParallel": 1, "moeBackend": "CUTLASS"} | limits)
    return _drop_none(base | get_parallel_sizes(topology) | changes)


def build_vllm(topology: str, **changes: object) -> Fields:
    limits = {"maxBatchSize": 4, "maxSeqLen": 32768, "gpuMemoryUtilization": 0.8}
    base = vllm(**limits) | get_parallel_sizes(topology) | changes
    if base["runtime"] == "native":
        base["image"] = None
    return _drop_none(base)


def _drop_none(block: Fields) -> Fields:
    """A test takes a key away by giving None."""
    return {key: value for key, value in block.items() if value is not None}
