"""Monitoring's ports that others listen on already: refused by name. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import Declaration, Monitoring
from sparkform.errors import Problem
from sparkform.fabric.network import Reports
from sparkform.monitoring.paths import (
    ALERTMANAGER,
    GRAFANA,
    NODE_EXPORTER,
    PROMETHEUS,
    get_container_name,
)
from sparkform.report.facts import NodeReport

RUNNING = "running"


def find_taken_ports(declaration: Declaration, reports: Reports) -> Iterator[Problem]:
    """What was not read of a node is no conflict: the container would say so itself."""
    monitoring = declaration.monitoring
    if monitoring is None:
        return
    for node in declaration.active_nodes:
        report = reports.get(node.name)
        if report is None:
            continue
        is_watching = node.name == declaration.monitoring_node.name
        for key, program, port in _list_programs(monitoring, is_watching):
            listener = _find_listener(report, port)
            if listener is not None and not _is_running(report, program):
                yield Problem(
                    path=f"monitoring.ports.{key}",
                    message=f"is used by {listener} on {node.name}",
                    got=str(port),
                    remedy="choose another port",
                )


def _list_programs(monitoring: Monitoring, is_watching: bool) -> Iterator[tuple[str, str, int]]:
    ports = monitoring.ports
    yield "nodeExporter", NODE_EXPORTER, ports.node_exporter
    if is_watching:
        yield "prometheus", PROMETHEUS, ports.prometheus
        yield "alertmanager", ALERTMANAGER, ports.alertmanager
        if monitoring.grafana:
            yield "grafana", GRAFANA, ports.grafana


def _find_listener(report: NodeReport, port: int) -> str | None:
    listeners = [
        listener.process or "another program"
        for listener in report.facts.ports or ()
        if (listener.protocol, listener.port) == ("tcp", port)
    ]
    return listeners[0] if listeners else None


def _is_running(report: NodeReport, program: str) -> bool:
    """Whether it is our own program that listens; unknown counts as ours."""
    if report.facts.containers is None:
        return True
    name = get_container_name(program)
    return any(
        container.name == name and container.state == RUNNING
        for container in report.facts.containers
    )
