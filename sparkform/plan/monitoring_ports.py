"""Where monitoring cannot listen: ports of others, and an address of another machine. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface

from node.host.addresses import is_loopback
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
from sparkform.plan.context import PlanContext
from sparkform.report.facts import NodeReport

RUNNING = "running"


def find_listening_problems(context: PlanContext, has_alertmanager: bool) -> Iterator[Problem]:
    if context.declaration.monitoring is not None:
        yield from _find_foreign_address(context, context.declaration.monitoring.address)
        yield from _find_taken_ports(context.declaration, context.reports, has_alertmanager)


def _find_foreign_address(context: PlanContext, declared: str) -> Iterator[Problem]:
    """A program that cannot listen is started for ever. Fabric addresses may be yet to come."""
    node, address = context.declaration.monitoring_node.name, ip_address(declared)
    report = context.reports.get(node)
    interfaces = report.facts.interfaces if report else None
    if interfaces is None or address.is_unspecified or is_loopback(declared):
        return
    present = {ip_interface(text).ip for interface in interfaces for text in interface.addresses}
    coming = {link.planned.address.ip for link in context.network.fabric.get(node, ())}
    if address not in present | coming:
        yield Problem(
            path="monitoring.address",
            message=f"is no address of {node}",
            got=declared,
            allowed=", ".join(sorted(str(own) for own in present if not own.is_link_local)),
            remedy="choose one of these, or leave the key out for loopback",
        )


def _find_taken_ports(
    declaration: Declaration, reports: Reports, has_alertmanager: bool
) -> Iterator[Problem]:
    """What was not read of a node is no conflict: the container would say so itself."""
    monitoring = declaration.monitoring
    if monitoring is None:
        return
    for node in declaration.active_nodes:
        report = reports.get(node.name)
        if report is None:
            continue
        is_watching = node.name == declaration.monitoring_node.name
        for key, program, port in _list_programs(monitoring, is_watching, has_alertmanager):
            listener = _find_listener(report, port)
            if listener is not None and not _is_running(report, program):
                yield Problem(
                    path=f"monitoring.ports.{key}",
                    message=f"is used by {listener} on {node.name}",
                    got=str(port),
                    remedy="choose another port",
                )


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
