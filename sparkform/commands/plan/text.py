"""What `sparkform plan` says, as lines for people. Pure.

Lines and not tables: nothing is folded, so that a rank's command can be pasted as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Section = tuple[str, list[str]]
"""A title and the lines below it."""


def sections(found: Json) -> Iterator[Section]:
    """`found` is plan_report's report."""
    yield "Nodes", [_node(one) for one in found["nodes"]]
    fabric = found["fabric"]
    if fabric["cables"]:
        lines = [_interface(node, one) for node in found["nodes"] for one in node["fabric"]]
        yield f"Fabric: {fabric['topology']}, MTU {fabric['mtu']}", lines
    for one in found["services"]:
        title = f"Service {one['name']}: {one['engine']}, {one['runtime']}, {one['url']}"
        yield title, list(_service(one))
    yield "Steps", [line for one in found["steps"] for line in _step(one)]


def total(found: Json) -> str:
    changes = sum(one["state"] == "change" for one in found["steps"])
    return f"{changes} of {len(found['steps'])} steps would run."


def _node(node: Json) -> str:
    management = node["managementAddress"]
    place = "away" if node["away"] else f"management address {management}"
    return f"{node['name']}, {node['role']}: {node['host']}, {place}"


def _interface(node: Json, one: Json) -> str:
    place = f"port {one['port']}, half {one['half']}, cable {one['cable']}"
    return f"{node['name']} {one['interface']}: {one['address']}, {place}"


def _service(service: Json) -> Iterator[str]:
    yield predicted(service["predicted"])
    yield from service["lines"]
    for launch in service["launches"]:
        image = f", image {launch['image']}" if launch["image"] else ""
        yield f"rank {launch['rank']} on {launch['node']}{image}:"
        yield f"  {' '.join(launch['command'])}"


def predicted(figures: Json) -> str:
    """Whether the model fits and how fast it will be, or what to set so that it can be said."""
    if figures["weightsGib"] is None:
        return "the model's size is not known: set modelFacts for its memory and speed"
    weights = f"{figures['weightsGib']} GiB of weights a node"
    if figures["freeGib"] < 0:
        return f"{weights}, which lacks {-figures['freeGib']} GiB: it does not fit"
    said = (
        f"{weights}, {figures['freeGib']} GiB for the cache: up to {figures['maxContext']} tokens"
    )
    if figures["decodeTokS"] is None:
        return said
    low, high = figures["decodeRangeTokS"]
    speed = f"one request decodes {figures['decodeTokS']} tok/s ({low} to {high})"
    return f"{said}; {speed}, as predicted"


def _step(step: Json) -> Iterator[str]:
    name = f"{step['node']} {step['step']}"
    disturbs = "" if step["disturbs"] == "none" else f", disturbs {step['disturbs']}"
    yield f"{step['state']} {name}{disturbs}"
    for line in step["lines"]:
        yield f"  {line.removeprefix(f'{name}: ')}"
