"""Checks of monitoring against cluster and services: its node, its ports."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config.checks.placement import find_absent_node
from sparkform.config.draft import Draft
from sparkform.config.monitoring import Monitoring
from sparkform.errors import Problem

IMAGE_PREFIX = "monitoring-"
"""Steps of monitoring's images are named so, beside those of services."""


def check_monitoring_node(draft: Draft) -> Iterator[Problem]:
    """Monitoring runs on a node of the cluster that is not away."""
    name = draft.monitoring.node if draft.monitoring else None
    yield from find_absent_node(draft, "monitoring.node", name)


def check_monitoring_ports(draft: Draft) -> Iterator[Problem]:
    """Monitoring's programs, services and SSH of one node need different ports."""
    if draft.monitoring is None:
        return
    for node, taken in _list_taken_ports(draft).items():
        for key, port in _list_ports(draft.monitoring, _is_monitoring_node(draft, node)):
            if port in taken:
                yield Problem(
                    path=f"monitoring.ports.{key}",
                    message=f"is also the port of {taken[port]} on node {node}",
                    got=str(port),
                    allowed="a different one",
                )
            taken[port] = f"monitoring's {key}"


def check_monitoring_names(draft: Draft) -> Iterator[Problem]:
    """With monitoring no service's name begins with monitoring-."""
    for name in draft.services if draft.monitoring else ():
        if name.startswith(IMAGE_PREFIX):
            yield Problem(
                path=f"services.{name}",
                message=f"begins with {IMAGE_PREFIX}",
                because="steps of monitoring's own images are named so",
                remedy="rename the service",
            )


def _list_taken_ports(draft: Draft) -> dict[str, dict[int, str]]:
    """By node: its SSH port and those of the services that answer there."""
    taken = {node.name: {node.port: "SSH"} for _, node in draft.enumerate_readable_nodes()}
    for name, service in draft.list_groups():
        first = next(iter(draft.list_members(service)), None)
        if first in taken:
            taken[first][service.port] = f"service {name}"
    return taken


def _is_monitoring_node(draft: Draft, node: str) -> bool:
    declared = draft.monitoring.node if draft.monitoring else None
    return node == (declared or draft.names[0])


def list_monitoring_ports(draft: Draft, node: str) -> list[tuple[str, int]]:
    """The ports of monitoring's programs on a node, by their keys."""
    if draft.monitoring is None or not draft.names:
        return []
    return list(_list_ports(draft.monitoring, _is_monitoring_node(draft, node)))


def _list_ports(monitoring: Monitoring, is_monitoring_node: bool) -> Iterator[tuple[str, int]]:
    ports = monitoring.ports
    yield "nodeExporter", ports.node_exporter
    if is_monitoring_node:
        yield "prometheus", ports.prometheus
        yield "alertmanager", ports.alertmanager
        if monitoring.grafana:
            yield "grafana", ports.grafana


CHECKS = (check_monitoring_node, check_monitoring_ports, check_monitoring_names)
