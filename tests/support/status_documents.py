"""Documents of the verb `status`, written by hand: a rack that serves, to be changed by tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from node.host.typed_json import to_json
from node.ranks.rank import NodeRanks, Rank, RankLabels
from node.readings.gpu import GpuTelemetry
from node.readings.measure import Unread
from node.supervision.report import LiveFigures, SupervisionReport
from node.supervision.state import RankFailure
from node.telemetry.node_telemetry import (
    DiskTelemetry,
    LinkTelemetry,
    MemoryTelemetry,
    NodeTelemetry,
)
from node.verbs.status import NodeDocument, parse_document
from sparkform.config import Declaration, parse_config
from sparkform.status.build import build_rack_status
from sparkform.status.rack_status import RackStatus
from sparkform.status.readings import NodeReading

NOW_S = 1_795_960_000.0
TOKEN = "4be1c0de00aa-1"
STACK = "spark/lab"
SERVICE = {
    "engine": "vllm",
    "runtime": "container",
    "image": "vllm/vllm-openai:v0.32.0",
    "model": "Qwen/Qwen3-8B",
    "port": 8000,
    "tensorParallel": 2,
}
FAILURE = RankFailure("exit code 137 (SIGKILL)", 1, "spark-2", NOW_S - 7200)
FIGURES = LiveFigures(
    last_token_age_s=0.2,
    requests_running=4.0,
    requests_waiting=1.0,
    tokens_total=120_000.0,
    tokens_per_s=112.34,
    cache_use=0.37,
)
GIB = 2**20
"""In KiB."""


def build_declaration(
    topology: str = "direct",
    count: int = 2,
    services: Mapping[str, Any] | None = None,
    **cluster: Any,
) -> Declaration:
    nodes = [
        {"name": f"spark-{number}", "host": f"10.0.0.{number}"} for number in range(1, count + 1)
    ]
    block = {"user": "nvidia", "nodes": nodes, "fabric": {"topology": topology}, **cluster}
    return parse_config(block, {"qwen": SERVICE} if services is None else services)


def build_rank(rank: int, service: str = "qwen", **changes: Any) -> Rank:
    labels = RankLabels(service, rank, TOKEN, STACK)
    container = Rank(
        "container", "container", labels, f"sparkform-{service}", f"c{rank}", "running", NOW_S - 600
    )
    return replace(container, **changes)


def build_report(rank: int, service: str = "qwen", **changes: Any) -> SupervisionReport:
    report = SupervisionReport(
        service=service,
        is_active=True,
        token=TOKEN,
        is_coordinator=rank == 0,
        rank=rank,
        phase="serving",
        phase_age_s=11_520.0,
        epoch=2,
        restarts=1,
        max_restarts=4,
        last_failure=FAILURE if rank == 0 else None,
        live_age_s=1.5,
        figures=FIGURES if rank == 0 else LiveFigures(),
    )
    return replace(report, **changes)


def build_gpu(**changes: Any) -> GpuTelemetry:
    gpu = GpuTelemetry(0, "NVIDIA GB10", 87.0, 38.4, 61.0, 2418.0, 3003.0, ())
    return replace(gpu, **changes)


def build_link(interface: str, is_up: bool = True) -> LinkTelemetry:
    speed_mbps = 200_000 if is_up else None
    state = "ACTIVE" if is_up else "DOWN"
    return LinkTelemetry(interface, f"roce-{interface}", is_up, state, speed_mbps, 10, 20, {})


def build_links(*up_ports: int) -> tuple[LinkTelemetry, ...]:
    names = {0: ("enp1s0f0np0", "enP2p1s0f0np0"), 1: ("enp1s0f1np1", "enP2p1s0f1np1")}
    return tuple(
        build_link(name, port in up_ports) for port, halves in names.items() for name in halves
    )


def build_telemetry(**changes: Any) -> NodeTelemetry:
    memory = MemoryTelemetry(
        *(119 * GIB + GIB // 2, 23 * GIB, 8 * GIB, 16 * GIB, 16 * GIB, 4 * GIB, 3 * GIB)
    )
    telemetry = NodeTelemetry(
        gpus=(build_gpu(),),
        memory=memory,
        links=build_links(0),
        disks={"models": DiskTelemetry("/var/lib/sparkform/models", 4_000 * 2**30, 900 * 2**30)},
    )
    return replace(telemetry, **changes)


def build_document(rank: int, **changes: Any) -> NodeDocument:
    """Of the node with this rank of qwen, as it comes over the wire."""
    document = NodeDocument(
        NOW_S, NodeRanks((build_rank(rank),)), {"qwen": build_report(rank)}, build_telemetry()
    )
    return parse_document(format_document(replace(document, **changes)))


def format_document(document: NodeDocument) -> str:
    return json.dumps(to_json(document))


def build_readings(
    changes: Mapping[str, NodeDocument | Unread] | None = None, count: int = 2
) -> dict[str, NodeReading]:
    documents: dict[str, NodeDocument | Unread] = {
        f"spark-{rank + 1}": build_document(rank) for rank in range(count)
    }
    documents |= changes or {}
    return {name: NodeReading(document, 0.4) for name, document in documents.items()}


def build_status(
    changes: Mapping[str, NodeDocument | Unread] | None = None,
    declaration: Declaration | None = None,
    count: int = 2,
) -> RackStatus:
    """Of two nodes that serve, with the documents of some nodes replaced."""
    declared = declaration or build_declaration()
    return build_rack_status(STACK, declared, build_readings(changes, count), NOW_S)
