"""What `sparkform plan` answers. Pure.

The fields of the dataclasses are the keys of the JSON form; docs/commands.md describes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sparkform.config import Declaration, EffectiveNode
from sparkform.fabric.network import FabricInterface
from sparkform.launch import Launch
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.readiness import build_api_url
from sparkform.plan.services import ServicePlan
from sparkform.plan.steps import PlannedStep
from sparkform.rules.figures import Figures
from sparkform.rules.outcome import RulesVerdict, Violation


@dataclass(frozen=True)
class StackPlan:
    """What a report is made from. `stack` is "project/stack"."""

    stack: str
    declaration: Declaration
    plan: RackPlan
    verdict: RulesVerdict
    figures: Mapping[str, Figures]


@dataclass(frozen=True, kw_only=True)
class FabricSummary:
    topology: str
    mtu: int | Literal["inherit"]
    cables: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class InterfaceRow:
    """One half of a QSFP port; `peers` are addresses by node."""

    interface: str
    port: int
    half: str
    cable: str
    address: str
    peers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NodeRow:
    """`unread`: why its network is not known; addresses are then as they were last known."""

    name: str
    role: Literal["head", "worker"]
    host: str
    away: bool
    management_address: str | None
    fabric: Sequence[InterfaceRow]
    unread: str | None


@dataclass(frozen=True, kw_only=True)
class LaunchRow:
    """What one rank is started with."""

    rank: int
    node: str
    image: str | None
    command: Sequence[str]
    environment: Mapping[str, str]
    ports: Sequence[str]
    files: Sequence[str]
    unproven: Sequence[str]


StepState = Literal["same", "change", "held"]


@dataclass(frozen=True, kw_only=True)
class ServiceRow:
    """`lines` say why the service starts anew, or what is not touched of it."""

    name: str
    engine: str
    runtime: str
    url: str
    token: str
    state: StepState
    lines: Sequence[str]
    predicted: Figures
    launches: Sequence[LaunchRow]


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """`lines` are those of the preview."""

    node: str
    step: str
    state: StepState
    disturbs: str
    refused: bool
    lines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PlanReport:
    """`unknown`: a line for each step and service that was not read and stays as it is."""

    stack: str
    fabric: FabricSummary
    nodes: Sequence[NodeRow]
    services: Sequence[ServiceRow]
    steps: Sequence[StepRow]
    unknown: Sequence[str]
    violations: Sequence[Violation]


def build_report(stack_plan: StackPlan) -> PlanReport:
    declaration, plan = stack_plan.declaration, stack_plan.plan
    return PlanReport(
        stack=stack_plan.stack,
        fabric=FabricSummary(
            topology=declaration.cluster.fabric.topology,
            mtu=declaration.fabric_mtu,
            cables=[cable.name for cable in plan.network.cables],
        ),
        nodes=[_build_node_row(node, stack_plan) for node in declaration.nodes],
        services=[_build_service_row(name, stack_plan) for name in plan.services],
        steps=[_build_step_row(step) for step in plan.steps],
        unknown=plan.unknown_lines,
        violations=stack_plan.verdict.violations,
    )


def _build_node_row(node: EffectiveNode, stack_plan: StackPlan) -> NodeRow:
    network = stack_plan.plan.network
    management = network.management.get(node.name)
    return NodeRow(
        name=node.name,
        role="head" if node.is_head else "worker",
        host=node.host,
        away=node.away,
        management_address=str(management) if management else None,
        fabric=[_build_interface_row(interface) for interface in network.fabric.get(node.name, ())],
        unread=str(network.unread[node.name]) if node.name in network.unread else None,
    )


def _build_interface_row(interface: FabricInterface) -> InterfaceRow:
    planned = interface.planned
    return InterfaceRow(
        interface=interface.name,
        port=planned.port,
        half=planned.half,
        cable=planned.cable,
        address=str(planned.address),
        peers={name: str(address.ip) for name, address in planned.peers},
    )


def _build_service_row(name: str, stack_plan: StackPlan) -> ServiceRow:
    service, declared = stack_plan.plan.services[name], stack_plan.declaration.services[name]
    return ServiceRow(
        name=name,
        engine=declared.engine,
        runtime=declared.runtime,
        url=build_api_url(stack_plan.declaration, name, stack_plan.plan.network),
        token=service.token,
        state=_get_service_state(service),
        lines=[*service.lines, *service.notes],
        predicted=stack_plan.figures[name],
        launches=[_build_launch_row(launch) for launch in service.launches],
    )


def _build_launch_row(launch: Launch) -> LaunchRow:
    return LaunchRow(
        rank=launch.rank,
        node=launch.node,
        image=launch.layer.reference if launch.layer else launch.image,
        command=[*launch.entrypoint, *launch.argv],
        environment=launch.environment,
        ports=[f"{port.address}:{port.number} {port.purpose}" for port in launch.ports],
        files=[file.path for file in launch.files],
        unproven=launch.unproven,
    )


def _build_step_row(step: PlannedStep) -> StepRow:
    return StepRow(
        node=step.node,
        step=step.step,
        state=get_step_state(step),
        disturbs=step.disturbance,
        refused=step.is_changing and bool(step.refusals),
        lines=step.lines,
    )


def _get_service_state(service: ServicePlan) -> StepState:
    if service.unknown:
        return "held"
    return "change" if service.lines else "same"


def get_step_state(step: PlannedStep) -> StepState:
    """`held`: a node that it concerns is away, or it is unknown. `same`: in sync. `change`:
    `pulumi up` runs it."""
    if step.is_held:
        return "held"
    return "same" if step.decision.in_sync else "change"
