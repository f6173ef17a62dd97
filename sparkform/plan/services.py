"""Every declared service as steps and a token, decided from launches and facts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from node.state.document import parse_token
from node.steps import HaveT, ObservedT, StepSpec, WantT, stop_previous
from sparkform.fabric.links import build_run_reference
from sparkform.fabric.network import Reports
from sparkform.launch.records import Launch
from sparkform.plan.disturbance import ServicesByNode
from sparkform.plan.groups import RankObject, ServiceRun, ServiceState, decide_run
from sparkform.plan.launch_differences import describe_differences, summarize_launch
from sparkform.plan.service_steps import (
    GROUP,
    MEMBER,
    PREPARATION,
    READY,
    STOP_PREVIOUS,
    AnyKind,
    ServiceInputs,
    ServiceStepKind,
)
from sparkform.plan.steps import PlannedStep
from sparkform.report.receipts import parse_receipt


class StepMaker(Protocol):
    """Decides a step from what it wants and what the node observes of it."""

    def __call__(
        self,
        node: str,
        step: str,
        spec: StepSpec[WantT, ObservedT, HaveT],
        want: WantT,
        observed: ObservedT,
        /,
    ) -> PlannedStep: ...


@dataclass(frozen=True)
class StepStage:
    """One kind of step on its nodes, by node; all of them come before the next stage."""

    kind: str
    steps: Mapping[str, PlannedStep]


@dataclass(frozen=True)
class ServicePlan:
    """One service. `lines` say why it starts anew; empty where it runs as declared. `models` are
    the handles of what is fetched."""

    launches: tuple[Launch, ...]
    models: tuple[str, ...]
    token: str
    preparation: tuple[StepStage, ...]
    stop_previous: StepStage
    members: StepStage
    after: tuple[StepStage, ...]
    lines: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        stages = (*self.preparation, self.stop_previous, self.members, *self.after)
        return tuple(step for stage in stages for step in stage.steps.values())


@dataclass(frozen=True)
class ServicePlanner:
    """Plans one service: `stale` are the secrets that its nodes have otherwise than the stack."""

    inputs: ServiceInputs
    make_step: StepMaker
    stale_secrets: Collection[str] = ()

    def plan_preparation(self) -> tuple[StepStage, ...]:
        """The steps that bring what a rank is started with."""
        return self._plan_stages(PREPARATION, "")

    def plan(
        self, preparation: tuple[StepStage, ...], stopping_steps: Sequence[PlannedStep]
    ) -> ServicePlan:
        """`stopping` are the steps of today that stop the service."""
        run = self._decide_run(preparation, stopping_steps)
        stop_previous, members = self._plan_stages((STOP_PREVIOUS, MEMBER), run.token)
        group = self._plan_stage(GROUP, run.token)
        return ServicePlan(
            launches=self.inputs.launches,
            models=self.inputs.declaration.services[self.inputs.service].fetched_models,
            token=run.token,
            preparation=preparation,
            stop_previous=stop_previous,
            members=members,
            after=(group, self._with_checked_steps(group)._plan_stage(READY, run.token)),
            lines=tuple(f"service {self.inputs.service}: {line}" for line in run.lines),
        )

    def _with_checked_steps(self, started: StepStage) -> ServicePlanner:
        """The planner of what makes sure of these steps: it runs again when they do."""
        owner = self.inputs.stack.owner
        checked = {
            f"{node} {step.step}": build_run_reference(owner(node, step.step), step.decision)
            for node, step in started.steps.items()
        }
        return replace(self, inputs=replace(self.inputs, checked=checked))

    def _plan_stages(self, kinds: Iterable[AnyKind], token: str) -> tuple[StepStage, ...]:
        return tuple(self._plan_stage(kind, token) for kind in kinds)

    def _plan_stage(self, kind: ServiceStepKind[WantT, ObservedT], token: str) -> StepStage:
        wants = kind.wants(self.inputs, token)
        return StepStage(
            kind.kind, {node: self._plan_step(kind, node, want) for node, want in wants.items()}
        )

    def _plan_step(
        self, kind: ServiceStepKind[WantT, ObservedT], node: str, want: WantT
    ) -> PlannedStep:
        step = kind.get_step_name(self.inputs.service)
        observed = kind.spec.read_observed(self.inputs.reports[node].steps.get(step))
        if kind.add_other_nodes:
            observed = kind.add_other_nodes(self.inputs, observed)
        return self.make_step(node, step, kind.spec, want, observed)

    def _decide_run(
        self, preparation: tuple[StepStage, ...], stopping_steps: Sequence[PlannedStep]
    ) -> ServiceRun:
        inputs = self.inputs
        preparation_steps = [step for stage in preparation for step in stage.steps.values()]
        stopped = [
            f"{disturbing_step.node} {disturbing_step.step} changes, so it is stopped first "
            f"and started again"
            for disturbing_step in [
                *stopping_steps,
                *(step for step in preparation_steps if step.disturbance != "none"),
            ]
        ]
        stopped += [
            f"{secret} differs, will be started anew with it" for secret in self.stale_secrets
        ]
        state = get_service_state(inputs.service, inputs.reports, inputs.declaration.head.name)
        return decide_run(inputs.launches, state, self._describe_differences(), stopped)

    def _describe_differences(self) -> list[str]:
        """What differs from the launches that `stop_previous` keeps, each phrase once."""
        phrases: dict[str, None] = {}
        for launch in self.inputs.launches:
            recorded = _read_stop_want(self.inputs.reports, launch.node, launch.service)
            summary = recorded.launch if recorded else None
            phrases |= dict.fromkeys(describe_differences(summary or {}, summarize_launch(launch)))
        return list(phrases)


def get_service_state(service: str, reports: Reports, head: str) -> ServiceState:
    """What the nodes report of a service, those that it has left included."""
    objects = [
        rank_object
        for node in reports
        for rank_object in _list_rank_objects(node, reports, service)
    ]
    stop_step, group_step = STOP_PREVIOUS.get_step_name(service), GROUP.get_step_name(service)
    completed = _read_token(reports, head, group_step)
    tokens = [*(_read_token(reports, node, stop_step) for node in reports), completed]
    return ServiceState(tuple(objects), tuple(filter(None, tokens)), completed)


def list_services_by_node(services: Mapping[str, ServiceState], reports: Reports) -> ServicesByNode:
    """By node: the services of which something runs on it."""
    return {
        node: tuple(name for name, state in services.items() if state.is_running_on(node))
        for node in reports
    }


def _list_rank_objects(node: str, reports: Reports, service: str) -> list[RankObject]:
    step = STOP_PREVIOUS.get_step_name(service)
    observed = stop_previous.SPEC.read_observed(reports[node].steps.get(step))
    return [
        RankObject(node, rank.kind, _parse_rank(rank.rank), rank.token, rank.alive)
        for rank in observed.members
    ]


def _parse_rank(rank: str) -> int:
    return int(rank) if rank.isdigit() else -1


def _read_token(reports: Reports, node: str, step: str) -> str | None:
    """Of the step's receipt, whichever version wrote it: a token must never name two runs."""
    return parse_token(reports[node].receipts.get(step, "")) if node in reports else None


def _read_stop_want(reports: Reports, node: str, service: str) -> stop_previous.Want | None:
    """Of the receipt of `stop_previous`; None where there is none."""
    step = STOP_PREVIOUS.get_step_name(service)
    receipt = parse_receipt(reports[node].receipts.get(step) if node in reports else None)
    return stop_previous.SPEC.read_want(receipt.want) if receipt else None
