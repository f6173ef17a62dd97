"""What `sparkform plan` says, as plain data. Pure.

`SECTIONS` is the place for what further planners bring: each entry is a key of the JSON form and
the function that makes its value. docs/commands.md describes the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sparkform.config import Declaration, EffectiveNode
from sparkform.fabric.network import FabricInterface
from sparkform.launch import Launch
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.readiness import build_api_url
from sparkform.plan.steps import PlannedStep, StackName
from sparkform.rules.figures import Figures
from sparkform.rules.outcome import RulesVerdict

Json = dict[str, Any]


@dataclass(frozen=True)
class StackPlan:
    """What a report is made from."""

    stack: StackName
    declaration: Declaration
    plan: RackPlan
    verdict: RulesVerdict
    figures: Mapping[str, Figures]


def build_report(stack_plan: StackPlan) -> Json:
    """One value a section, ready for `json.dumps`."""
    return {name: section(stack_plan) for name, section in SECTIONS.items()}


def _format_stack(stack_plan: StackPlan) -> str:
    return f"{stack_plan.stack.project}/{stack_plan.stack.stack}"


def _describe_fabric(stack_plan: StackPlan) -> Json:
    mtu = stack_plan.declaration.fabric_mtu
    return {
        "topology": stack_plan.declaration.cluster.fabric.topology,
        "mtu": mtu,
        "cables": [cable.name for cable in stack_plan.plan.network.cables],
    }


def _describe_nodes(stack_plan: StackPlan) -> list[Json]:
    return [_describe_node(node, stack_plan) for node in stack_plan.declaration.nodes]


def _describe_node(node: EffectiveNode, stack_plan: StackPlan) -> Json:
    network = stack_plan.plan.network
    management = network.management.get(node.name)
    return {
        "name": node.name,
        "role": "head" if node.is_head else "worker",
        "host": node.host,
        "away": node.away,
        "managementAddress": str(management) if management else None,
        "fabric": [
            _describe_interface(interface) for interface in network.fabric.get(node.name, ())
        ],
    }


def _describe_interface(interface: FabricInterface) -> Json:
    planned = interface.planned
    return {
        "interface": interface.name,
        "port": planned.port,
        "half": planned.half,
        "cable": planned.cable,
        "address": str(planned.address),
        "peers": {name: str(address.ip) for name, address in planned.peers},
    }


def _describe_steps(stack_plan: StackPlan) -> list[Json]:
    return [_describe_step(step) for step in stack_plan.plan.steps]


def _describe_step(step: PlannedStep) -> Json:
    return {
        "node": step.node,
        "step": step.step,
        "state": get_step_state(step),
        "disturbs": step.disturbance,
        "lines": list(step.lines),
    }


def get_step_state(step: PlannedStep) -> str:
    """`held`: a node that it concerns is away. `same`: in sync. `change`: `pulumi up` runs it."""
    if step.is_held:
        return "held"
    return "same" if step.decision.in_sync else "change"


def _describe_services(stack_plan: StackPlan) -> list[Json]:
    """Each service: who runs it, why it starts anew, what each rank is started with."""
    return [_describe_service(name, stack_plan) for name in stack_plan.plan.services]


def _describe_service(name: str, stack_plan: StackPlan) -> Json:
    service, declared = stack_plan.plan.services[name], stack_plan.declaration.services[name]
    return {
        "name": name,
        "engine": declared.engine,
        "runtime": declared.runtime,
        "url": build_api_url(stack_plan.declaration, name, stack_plan.plan.network),
        "token": service.token,
        "state": "change" if service.lines else "same",
        "lines": list(service.lines),
        "predicted": stack_plan.figures[name].to_json(),
        "launches": [_describe_launch(launch) for launch in service.launches],
    }


def _describe_launch(launch: Launch) -> Json:
    return {
        "rank": launch.rank,
        "node": launch.node,
        "image": launch.layer.reference if launch.layer else launch.image,
        "command": [*launch.entrypoint, *launch.argv],
        "environment": dict(launch.environment),
        "ports": [f"{entry.address}:{entry.number} {entry.purpose}" for entry in launch.ports],
        "files": [entry.path for entry in launch.files],
        "unproven": list(launch.unproven),
    }


def _describe_violations(stack_plan: StackPlan) -> list[Json]:
    return [dict(violation.to_json()) for violation in stack_plan.verdict.violations]


SECTIONS: Mapping[str, Callable[[StackPlan], Any]] = {
    "stack": _format_stack,
    "fabric": _describe_fabric,
    "nodes": _describe_nodes,
    "services": _describe_services,
    "steps": _describe_steps,
    "violations": _describe_violations,
}
