"""Racks of Sparks as facts, and services on them, for launches."""

from __future__ import annotations

import json
from typing import Any

from sparkform.config import Spec
from sparkform.fabric.network import plan_network
from sparkform.launch import LaunchPlan, plan_launches
from sparkform.report.facts import NodeDocument
from tests.unit.config.support import cluster, spec, trtllm, vllm

NODES = {"none": 1, "direct": 2, "ring": 3, "switch": 3}
HANDLE = "Qwen/Qwen3-8B"
HALVES = (("enp1s0f{p}np{p}", "rocep1s0f{p}", "A"), ("enP2p1s0f{p}np{p}", "roceP2p1s0f{p}", "B"))


def interface(name: str, **changes: Any) -> dict[str, Any]:
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


def fabric(ports: tuple[int, ...] = (0, 1)) -> list[dict[str, Any]]:
    return [
        interface(name.format(p=port), port=port, half=half, hca=hca.format(p=port))
        for port in ports
        for name, hca, half in HALVES
    ]


def document(position: int, management: str = "enP7s7", **facts: Any) -> NodeDocument:
    """A Spark with all four halves; `facts` replace those that are made here."""
    address = f"10.0.0.{11 + position}"
    own = interface(management, addresses=[f"{address}/24"], driver="r8127")
    route = {
        "destination": "default",
        "gateway": "10.0.0.1",
        "interface": management,
        "source": address,
        "metric": 100,
        "table": "main",
    }
    found = {"interfaces": [*fabric(), own], "routes": [route], "models": []}
    return NodeDocument.model_validate_json(
        json.dumps(
            {
                "version": 1,
                "unix_time_s": 0.0,
                "facts": found | facts,
                "steps": {},
                "receipts": {},
                "unreadable": [],
            }
        )
    )


def documents(count: int) -> dict[str, NodeDocument]:
    return {f"spark-{at + 1}": document(at) for at in range(count)}


def planned(
    declared: Spec,
    found: dict[str, NodeDocument] | None = None,
    secrets: frozenset[str] = frozenset(),
) -> LaunchPlan:
    """The launches of a declaration on a rack with these facts."""
    seen = documents(len(declared.nodes)) if found is None else found
    network, problems = plan_network(declared, seen)
    assert problems == [], [str(problem) for problem in problems]
    return plan_launches(declared, network, seen, secrets)


def on(topology: str, **services: Any) -> Spec:
    """A rack of that topology with these services."""
    block = cluster(NODES[topology], fabric={"topology": topology})
    return spec(block, services)


def split(topology: str) -> dict[str, int]:
    """How a service covers all nodes: three ranks share no layer."""
    ways = {"none": {}, "direct": {"tensorParallel": 2}}
    return ways.get(topology, {"pipelineParallel": NODES[topology]})


def trt(topology: str, **changes: Any) -> dict[str, Any]:
    wishes = {"maxBatchSize": 4, "maxSeqLen": 32768, "freeGpuMemoryFraction": 0.8}
    base = trtllm(**{"tensorParallel": 1, "moeBackend": "CUTLASS"} | wishes)
    return _without_nothing(base | split(topology) | changes)


def vll(topology: str, **changes: Any) -> dict[str, Any]:
    wishes = {"maxBatchSize": 4, "maxSeqLen": 32768, "gpuMemoryUtilization": 0.8}
    base = vllm(**wishes) | split(topology) | changes
    if base["runtime"] == "native":
        base["image"] = None
    return _without_nothing(base)


def _without_nothing(block: dict[str, Any]) -> dict[str, Any]:
    """A test takes a key away by giving None."""
    return {key: value for key, value in block.items() if value is not None}
