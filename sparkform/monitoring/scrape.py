"""Prometheus' configuration: what is read, from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from sparkform.config import Monitoring
from sparkform.gateway.paths import EDGE, ROUTERS
from sparkform.monitoring.paths import CONFIG

METRICS_PATHS = {"vllm": "/metrics", "trtllm": "/prometheus/metrics"}
"""vLLM: vllm/entrypoints/openai/api_server.py. TensorRT-LLM serves JSON under /metrics, and this
with return_perf_metrics (nvidia.github.io/TensorRT-LLM/examples/prometheus_metrics.html)."""


@dataclass(frozen=True)
class NodeTarget:
    """One node by its management address."""

    node: str
    address: str


@dataclass(frozen=True)
class EngineTarget:
    """One service by the host and port that its API answers on, as the monitoring node sees it."""

    service: str
    node: str
    engine: Literal["vllm", "trtllm"]
    host_and_port: str


@dataclass(frozen=True)
class GatewayTarget:
    """Where the gateway's processes tell their figures, the edge's and each router's."""

    node: str
    host_and_port: str


@dataclass(frozen=True)
class ScrapeTargets:
    """`node` is the one that runs Prometheus. `gateway`: None where there is none."""

    node: str
    nodes: tuple[NodeTarget, ...]
    engines: tuple[EngineTarget, ...]
    has_alertmanager: bool
    gateway: GatewayTarget | None = None


def format_host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def find_local_address(address: str) -> str:
    """By which a program on the same node reaches one that listens on this address."""
    parsed = ip_address(address)
    if not parsed.is_unspecified:
        return address
    return "127.0.0.1" if parsed.version == 4 else "::1"


def build_prometheus_config(monitoring: Monitoring, targets: ScrapeTargets) -> dict[str, object]:
    local, ports = find_local_address(monitoring.address), monitoring.ports
    alertmanager = format_host_and_port(local, ports.alertmanager)
    prometheus = format_host_and_port(local, ports.prometheus)
    here = {"node": targets.node}
    programs = [_build_job("prometheus", [(prometheus, here)])]
    if targets.has_alertmanager:
        programs.append(_build_job("alertmanager", [(alertmanager, here)]))
    nodes = [
        (format_host_and_port(target.address, ports.node_exporter), {"node": target.node})
        for target in targets.nodes
    ]
    config: dict[str, object] = {
        "global": {
            "scrape_interval": f"{monitoring.interval_seconds}s",
            "scrape_timeout": f"{min(monitoring.interval_seconds, 10)}s",
            "evaluation_interval": f"{monitoring.interval_seconds}s",
        },
        "rule_files": [f"{CONFIG}/rules.yml"],
        "scrape_configs": [
            *programs,
            _build_job("node", nodes),
            *_build_engines(targets.engines),
            *_build_gateway(targets.gateway),
        ],
    }
    if targets.has_alertmanager:
        managers = [{"static_configs": [{"targets": [alertmanager]}]}]
        config["alerting"] = {"alertmanagers": managers}
    return config


def _build_engines(engines: Sequence[EngineTarget]) -> list[dict[str, object]]:
    """One job an engine: the path is the job's, the services are its targets."""
    return [
        _build_job(
            engine,
            [
                (target.host_and_port, {"service": target.service, "node": target.node})
                for target in engines
                if target.engine == engine
            ],
            path,
        )
        for engine, path in METRICS_PATHS.items()
        if any(target.engine == engine for target in engines)
    ]


def _build_gateway(gateway: GatewayTarget | None) -> list[dict[str, object]]:
    """A job for each process: the path is the job's."""
    if gateway is None:
        return []
    labels = {"node": gateway.node}
    paths = {EDGE: "/metrics"} | {router: f"/{router}/metrics" for router in ROUTERS}
    return [
        _build_job(f"gateway-{program}", [(gateway.host_and_port, labels)], path)
        for program, path in paths.items()
    ]


def _build_job(
    name: str, targets: Sequence[tuple[str, dict[str, str]]], path: str = "/metrics"
) -> dict[str, object]:
    static = [{"targets": [target], "labels": labels} for target, labels in targets]
    return {"job_name": name, "metrics_path": path, "static_configs": static}
