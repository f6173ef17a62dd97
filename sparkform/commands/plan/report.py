"""What `sparkform plan` says, as plain data. Pure.

`SECTIONS` is the place for what further planners bring: each entry is a key of the JSON form and
the function that makes its value. docs/commands.md describes the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sparkform.config import EffectiveNode, Spec
from sparkform.fabric.network import FabricInterface
from sparkform.launch import Launch
from sparkform.plan.disturbance import disturbs
from sparkform.plan.rack import RackPlan
from sparkform.plan.readiness import api_url
from sparkform.plan.steps import PlannedStep, StackName
from sparkform.rules.figures import Figures
from sparkform.rules.outcome import Verdict

Json = dict[str, Any]


@dataclass(frozen=True)
class Planned:
    """What a report is made from."""

    stack: StackName
    spec: Spec
    plan: RackPlan
    verdict: Verdict
    figures: Mapping[str, Figures]


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


def _services(planned: Planned) -> list[Json]:
    """Each service: who runs it, why it starts anew, what each rank is started with."""
    return [_service(name, planned) for name in planned.plan.services]


def _service(name: str, planned: Planned) -> Json:
    service, declared = planned.plan.services[name], planned.spec.services[name]
    return {
        "name": name,
        "engine": declared.engine,
        "runtime": declared.runtime,
        "url": api_url(planned.spec, name, planned.plan.network),
        "token": service.token,
        "state": "change" if service.lines else "same",
        "lines": list(service.lines),
        "predicted": planned.figures[name].document(),
        "launches": [_launch(one) for one in service.launches],
    }


def _launch(launch: Launch) -> Json:
    return {
        "rank": launch.rank,
        "node": launch.node,
        "image": launch.layer.reference if launch.layer else launch.image,
        "command": [*launch.entrypoint, *launch.argv],
        "environment": dict(launch.environment),
        "ports": [f"{one.address}:{one.number} {one.purpose}" for one in launch.ports],
        "files": [one.path for one in launch.files],
        "unproven": list(launch.unproven),
    }


def _violations(planned: Planned) -> list[Json]:
    return [dict(one.document()) for one in planned.verdict.violations]


SECTIONS: Mapping[str, Callable[[Planned], Any]] = {
    "stack": _stack,
    "fabric": _fabric,
    "nodes": _nodes,
    "services": _services,
    "steps": _steps,
    "violations": _violations,
}
