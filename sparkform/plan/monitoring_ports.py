"""Where monitoring cannot listen: ports of others, and an address of another machine. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import Monitoring
from sparkform.errors import Problem
from sparkform.monitoring.paths import (
    ALERTMANAGER,
    GRAFANA,
    NODE_EXPORTER,
    PROMETHEUS,
    get_container_name,
)
from sparkform.plan.context import PlanContext
from sparkform.plan.listeners import find_foreign_address, find_taken_port


def find_listening_problems(context: PlanContext, has_alertmanager: bool) -> Iterator[Problem]:
    declaration = context.declaration
    monitoring = declaration.monitoring
    if monitoring is None:
        return
    watching = declaration.monitoring_node.name
    yield from find_foreign_address(context, watching, monitoring.address, "monitoring.address")
    for node in declaration.active_nodes:
        report, is_watching = context.reports.get(node.name), node.name == watching
        programs = _list_programs(monitoring, is_watching, has_alertmanager) if report else ()
        for key, program, port in programs:
            assert report is not None
            name, path = get_container_name(program), f"monitoring.ports.{key}"
            yield from find_taken_port(report, node.name, name, port, path)


def _list_programs(
    monitoring: Monitoring, is_watching: bool, has_alertmanager: bool
) -> Iterator[tuple[str, str, int]]:
    ports = monitoring.ports
    yield "nodeExporter", NODE_EXPORTER, ports.node_exporter
    if is_watching:
        yield "prometheus", PROMETHEUS, ports.prometheus
        if has_alertmanager:
            yield "alertmanager", ALERTMANAGER, ports.alertmanager
        if monitoring.grafana:
            yield "grafana", GRAFANA, ports.grafana
