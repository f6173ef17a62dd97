"""What `sparkform plan` says, as plain data. Pure.

`SECTIONS` is the place for what further planners bring: each entry is a key of the JSON form and
the function that makes its value. docs/commands.md describes the keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from node.steps import STEPS
from sparkform.planner.network import FabricInterface
from sparkform.planner.plan import RackPlan
from sparkform.planner.steps import PlannedStep, StackName
from sparkform.planner.wants import ANCHOR
from sparkform.spec import EffectiveNode, Spec

Json = dict[str, Any]


@dataclass(frozen=True)
class Planned:
    """What a report is made from."""

    stack: StackName
    spec: Spec
    plan: RackPlan


def report(planned: Planned) -> Json:
    """One value a section, ready for `json.dumps`."""
    return {name: section(planned) for name, section in SECTIONS.items()}


def _stack(planned: Planned) -> str:
    return f"{planned.stack.project}/{planned.stack.stack}"


def _fabric(planned: Planned) -> Json:
    mtu = planned.spec.fabric_mtu
    return {
        "topology": planned.spec.cluster.fabric.topology,
        "mtu": mtu,
        "cables": [cable.name for cable in planned.plan.network.cables],
    }


def _nodes(planned: Planned) -> list[Json]:
    return [_node(node, planned) for node in planned.spec.nodes]


def _node(node: EffectiveNode, planned: Planned) -> Json:
    network = planned.plan.network
    management = network.management.get(node.name)
    return {
        "name": node.name,
        "role": "head" if node.is_head else "worker",
        "host": node.host,
        "away": node.away,
        "managementAddress": str(management) if management else None,
        "fabric": [_interface(one) for one in network.fabric.get(node.name, ())],
    }


def _interface(one: FabricInterface) -> Json:
    planned = one.planned
    return {
        "interface": one.name,
        "port": planned.port,
        "half": planned.half,
        "cable": planned.cable,
        "address": str(planned.address),
        "peers": {name: str(address.ip) for name, address in planned.peers},
    }


def _steps(planned: Planned) -> list[Json]:
    return [_step(step) for step in planned.plan.steps]


def _step(step: PlannedStep) -> Json:
    return {
        "node": step.node,
        "step": step.step,
        "state": state(step),
        "disturbs": disturbs(step),
        "lines": list(step.lines),
    }


def state(step: PlannedStep) -> str:
    """`held`: a node that it concerns is away. `same`: in sync. `change`: `pulumi up` runs it."""
    if step.is_held:
        return "held"
    return "same" if step.decision.in_sync else "change"


def disturbs(step: PlannedStep) -> str:
    """What running it disturbs: none, docker, fabric or host."""
    if state(step) != "change" or step.step == ANCHOR:
        return "none"
    document = json.loads(step.decision.document)
    return STEPS[step.step].disturbs(document["have"], document["want"])


SECTIONS: Mapping[str, Callable[[Planned], Any]] = {
    "stack": _stack,
    "fabric": _fabric,
    "nodes": _nodes,
    "steps": _steps,
}
