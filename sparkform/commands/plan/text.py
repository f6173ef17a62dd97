"""What `sparkform plan` says, as lines for people. Pure.

Lines and not tables: nothing is folded, so that a rank's command can be pasted as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
TextSection = tuple[str, list[str]]
"""A title and the lines below it."""


def render_sections(plan_report: Json) -> Iterator[TextSection]:
    """`found` is plan_report's report."""
    yield "Nodes", [_format_node(entry) for entry in plan_report["nodes"]]
    fabric = plan_report["fabric"]
    if fabric["cables"]:
        lines = [
            _format_interface(node, entry)
            for node in plan_report["nodes"]
            for entry in node["fabric"]
        ]
        yield f"Fabric: {fabric['topology']}, MTU {fabric['mtu']}", lines
    for entry in plan_report["services"]:
        title = f"Service {entry['name']}: {entry['engine']}, {entry['runtime']}, {entry['url']}"
        yield title, list(_format_service(entry))
    yield "Steps", [line for entry in plan_report["steps"] for line in _format_step(entry)]


def format_total(plan_report: Json) -> str:
    changes = sum(step["state"] == "change" for step in plan_report["steps"])
    return f"{changes} of {len(plan_report['steps'])} steps would run."


def _format_node(node: Json) -> str:
    management = node["managementAddress"]
    location = "away" if node["away"] else f"management address {management}"
    return f"{node['name']}, {node['role']}: {node['host']}, {location}"


def _format_interface(node: Json, interface: Json) -> str:
    location = f"port {interface['port']}, half {interface['half']}, cable {interface['cable']}"
    return f"{node['name']} {interface['interface']}: {interface['address']}, {location}"


def _format_service(service: Json) -> Iterator[str]:
    yield format_prediction(service["predicted"])
    yield from service["lines"]
    for launch in service["launches"]:
        image = f", image {launch['image']}" if launch["image"] else ""
        yield f"rank {launch['rank']} on {launch['node']}{image}:"
        yield f"  {' '.join(launch['command'])}"


def format_prediction(figures: Json) -> str:
    """Whether the model fits and how fast it will be, or what to set so that it can be said."""
    if figures["weightsGib"] is None:
        return "the model's size is not known: set modelFacts for its memory and speed"
    weights = f"{figures['weightsGib']} GiB of weights a node"
    if figures["freeGib"] < 0:
        return f"{weights}, which lacks {-figures['freeGib']} GiB: it does not fit"
    sentence = (
        f"{weights}, {figures['freeGib']} GiB for the cache: up to {figures['maxContext']} tokens"
    )
    if figures["decodeTokS"] is None:
        return sentence
    low, high = figures["decodeRangeTokS"]
    speed = f"one request decodes {figures['decodeTokS']} tok/s ({low} to {high})"
    return f"{sentence}; {speed}, as predicted"


def _format_step(step: Json) -> Iterator[str]:
    name = f"{step['node']} {step['step']}"
    disturbs = "" if step["disturbs"] == "none" else f", disturbs {step['disturbs']}"
    yield f"{step['state']} {name}{disturbs}"
    for line in step["lines"]:
        yield f"  {line.removeprefix(f'{name}: ')}"
