"""Containers of monitoring that are gone, or end again and again: no step puts that right. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sparkform.fabric.network import Reports
from sparkform.monitoring.containers import ContainerPlan
from sparkform.monitoring.paths import NODE_EXPORTER, get_container_name
from sparkform.plan.steps import PlannedStep
from sparkform.report.facts import NodeReport

RESTARTING = "restarting"


@dataclass(frozen=True)
class ContainerTrouble:
    """What is wrong on a node, and what to do."""

    node: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.node}: {self.message}; {self.remedy}"


def find_troubles(
    containers: Iterable[ContainerPlan],
    telemetry: Mapping[str, PlannedStep],
    files: PlannedStep,
    reports: Reports,
) -> Iterator[ContainerTrouble]:
    """A container whose step is yet to do is yet to come, and what was not read is not gone."""
    for container in containers:
        step = telemetry[container.node] if container.program == NODE_EXPORTER else files
        report = reports.get(container.node)
        if report is not None and not step.is_held and step.decision.in_sync:
            yield from _judge(container, report)


def _judge(container: ContainerPlan, report: NodeReport) -> Iterator[ContainerTrouble]:
    name = get_container_name(container.program)
    if report.facts.containers is None:
        return
    states = {entry.name: entry.state for entry in report.facts.containers}
    if name not in states:
        message = f"container {name} is gone"
        yield ContainerTrouble(container.node, message, "`pulumi up --refresh` makes it anew")
    elif states[name] == RESTARTING:
        message = f"container {name} ends again and again"
        yield ContainerTrouble(container.node, message, f"`sudo docker logs {name}` says why")
