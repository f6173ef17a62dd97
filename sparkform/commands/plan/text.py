"""What `sparkform plan` answers, as lines for people. Pure.

Lines and not tables: nothing is folded, so that a rank's command can be pasted as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.commands.plan.report import InterfaceRow, NodeRow, PlanReport, ServiceRow, StepRow
from sparkform.rules.figures import Figures

TextSection = tuple[str, list[str]]
"""A title and the lines below it."""


def render_sections(report: PlanReport) -> Iterator[TextSection]:
    yield "Nodes", [_format_node(node) for node in report.nodes]
    if report.fabric.cables:
        title = f"Fabric: {report.fabric.topology}, MTU {report.fabric.mtu}"
        rows = ((node, interface) for node in report.nodes for interface in node.fabric)
        yield title, [_format_interface(node, interface) for node, interface in rows]
    for service in report.services:
        title = f"Service {service.name}: {service.engine}, {service.runtime}, {service.url}"
        yield title, list(_format_service(service))
    yield "Steps", [line for step in report.steps for line in _format_step(step)]


def format_total(report: PlanReport) -> str:
    changes = sum(step.state == "change" for step in report.steps)
    unknown = f" {len(report.unknown)} are unknown." if report.unknown else ""
    return f"{changes} of {len(report.steps)} steps would run.{unknown}"


def _format_node(node: NodeRow) -> str:
    location = "away" if node.away else f"management address {node.management_address}"
    unread = f"; as last known: {node.unread}" if node.unread else ""
    return f"{node.name}, {node.role}: {node.host}, {location}{unread}"


def _format_interface(node: NodeRow, interface: InterfaceRow) -> str:
    location = f"port {interface.port}, half {interface.half}, cable {interface.cable}"
    return f"{node.name} {interface.interface}: {interface.address}, {location}"


def _format_service(service: ServiceRow) -> Iterator[str]:
    yield format_prediction(service.predicted)
    yield from service.lines
    for launch in service.launches:
        image = f", image {launch.image}" if launch.image else ""
        yield f"rank {launch.rank} on {launch.node}{image}:"
        yield f"  {' '.join(launch.command)}"


def format_prediction(figures: Figures) -> str:
    """Whether the model fits and how fast it will be, or what to set to predict it."""
    if figures.weights_gib is None or figures.free_gib is None:
        return "the model's size is not known: set modelFacts for its memory and speed"
    weights = f"{figures.weights_gib:.1f} GiB of weights per node"
    if figures.free_gib < 0:
        return f"{weights}, {-figures.free_gib:.1f} GiB too much: it does not fit"
    memory = (
        f"{weights}, {figures.free_gib:.1f} GiB for the cache: up to {figures.max_context} tokens"
    )
    if figures.decode_tok_s is None or figures.decode_range_tok_s is None:
        return memory
    low, high = figures.decode_range_tok_s
    speed = f"one request decodes {figures.decode_tok_s:.1f} tok/s ({low:.1f} to {high:.1f})"
    measured = f"; {figures.on_this_rack}" if figures.on_this_rack else ""
    return f"{memory}; {speed}, as predicted{measured}"


def _format_step(step: StepRow) -> Iterator[str]:
    name = f"{step.node} {step.step}"
    disturbs = "" if step.disturbs == "none" else f", disturbs {step.disturbs}"
    yield f"{step.state} {name}{disturbs}"
    for line in step.lines:
        yield f"  {line.removeprefix(f'{name}: ')}"
