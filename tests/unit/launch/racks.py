"""Racks of Sparks as facts, and services on them, for launches."""

from __future__ import annotations

import json
from typing import Any

from sparkform.config import Declaration
from sparkform.fabric.network import plan_network
from sparkform.launch import LaunchPlan, plan_launches
from sparkform.report.facts import NodeReport
from tests.unit.config.support import build_cluster, build_declaration, trtllm, vllm

NODE_COUNTS = {"none": 1, "direct": 2, "ring": 3, "switch": 3}
HANDLE = "Qwen/Qwen3-8B"
HALVES = (("enp1s0f{p}np{p}", "rocep1s0f{p}", "A"), ("enP2p1s0f{p}np{p}", "roceP2p1s0f{p}", "B"))


def build_interface(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "state": "up",
        "carrier": True,
        "speed_mbps": 200000,
        "mtu": 9000,
        "mac": None,
        "kind": None,
        "driver": "mlx5_core",
        "addresses": [],
        "port": None,
        "half": None,
        "hca": None,
        "rdma_state": None,
        "gid_addresses": [],
    } | changes


def build_fabric(ports: tuple[int, ...] = (0, 1)) -> list[dict[str, Any]]:
    return [
        build_interface(name.format(p=port), port=port, half=half, hca=hca.format(p=port))
        for port in ports
        for name, hca, half in HALVES
    ]


def build_report(position: int, management: str = "enP7s7", **facts: Any) -> NodeReport:
    """A Spark with all four halves; `facts` replace those that are made here."""
    address = f"10.0.0.{11 + position}"
    management_interface = build_interface(management, addresses=[f"{address}/24"], driver="r8127")
    route = {
        "destination": "default",
        "gateway": "10.0.0.1",
        "interface": management,
        "source": address,
        "metric": 100,
        "table": "main",
    }
    base_facts = {
        "interfaces": [*build_fabric(), management_interface],
        "routes": [route],
        "models": [],
    }
    return NodeReport.model_validate_json(
        json.dumps(
            {
                "version": 1,
                "unix_time_s": 0.0,
                "facts": base_facts | facts,
                "steps": {},
                "receipts": {},
                "unreadable": [],
            }
        )
    )


def build_reports(count: int) -> dict[str, NodeReport]:
    return {f"spark-{position + 1}": build_report(position) for position in range(count)}


def plan_rack_launches(
    declaration: Declaration,
    reports: dict[str, NodeReport] | None = None,
    secrets: frozenset[str] = frozenset(),
) -> LaunchPlan:
    """The launches of a declaration on a rack with these facts."""
    observed = build_reports(len(declaration.nodes)) if reports is None else reports
    network, problems = plan_network(declaration, observed)
    assert problems == [], [str(problem) for problem in problems]
    return plan_launches(declaration, network, observed, secrets)


def declare_rack(topology: str, **services: Any) -> Declaration:
    """A rack of that topology with these services."""
    block = build_cluster(NODE_COUNTS[topology], fabric={"topology": topology})
    return build_declaration(block, services)


def get_parallel_sizes(topology: str) -> dict[str, int]:
    """How a service covers all nodes: three ranks share no layer."""
    sizes = {"none": {}, "direct": {"tensorParallel": 2}}
    return sizes.get(topology, {"pipelineParallel": NODE_COUNTS[topology]})


def build_trtllm(topology: str, **changes: Any) -> dict[str, Any]:
    limits = {"maxBatchSize": 4, "maxSeqLen": 32768, "freeGpuMemoryFraction": 0.8}
    base = trtllm(**{"tensorParallel": 1, "moeBackend": "CUTLASS"} | limits)
    return _drop_none(base | get_parallel_sizes(topology) | changes)


def build_vllm(topology: str, **changes: Any) -> dict[str, Any]:
    limits = {"maxBatchSize": 4, "maxSeqLen": 32768, "gpuMemoryUtilization": 0.8}
    base = vllm(**limits) | get_parallel_sizes(topology) | changes
    if base["runtime"] == "native":
        base["image"] = None
    return _drop_none(base)


def _drop_none(block: dict[str, Any]) -> dict[str, Any]:
    """A test takes a key away by giving None."""
    return {key: value for key, value in block.items() if value is not None}
