"""Every declared service as steps and a token, decided from launches and facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.host.plain import as_list, as_mapping
from sparkform.fabric.links import build_run_reference
from sparkform.fabric.network import Reports
from sparkform.launch.records import Launch
from sparkform.plan.disturbance import ServicesByNode, get_disturbance
from sparkform.plan.groups import RankObject, ServiceRun, ServiceState, decide_run
from sparkform.plan.launch_differences import describe_differences, summarize_launch
from sparkform.plan.service_steps import (
    GROUP,
    MEMBER,
    PREPARATION,
    READY,
    STOP_PREVIOUS,
    ServiceInputs,
    ServiceStepKind,
)
from sparkform.plan.steps import PlannedStep
from sparkform.report.receipts import Json, parse_receipt

StepMaker = Callable[[str, str, Json, Json], PlannedStep]
"""Node, step, want and what is seen to the planned step."""


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

    def _plan_stages(self, kinds: Iterable[ServiceStepKind], token: str) -> tuple[StepStage, ...]:
        return tuple(self._plan_stage(kind, token) for kind in kinds)

    def _plan_stage(self, kind: ServiceStepKind, token: str) -> StepStage:
        step = kind.get_step_name(self.inputs.service)
        wants = kind.wants(self.inputs, token)
        return StepStage(
            kind.kind, {node: self._plan_step(kind, node, step, wants[node]) for node in wants}
        )

    def _plan_step(self, kind: ServiceStepKind, node: str, step: str, want: Json) -> PlannedStep:
        state = as_mapping(self.inputs.reports[node].steps.get(step))
        return self.make_step(
            node,
            step,
            want,
            kind.add_other_nodes(self.inputs, state) if kind.add_other_nodes else state,
        )

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
                *(step for step in preparation_steps if get_disturbance(step) != "none"),
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
            receipt = _get_receipt_want(
                self.inputs.reports, launch.node, STOP_PREVIOUS.get_step_name(launch.service)
            )
            phrases |= dict.fromkeys(
                describe_differences(as_mapping(receipt.get("launch")), summarize_launch(launch))
            )
        return list(phrases)


def get_service_state(service: str, reports: Reports, head: str) -> ServiceState:
    """What the nodes report of a service, those that it has left included."""
    step = STOP_PREVIOUS.get_step_name(service)
    objects = [
        rank_object for node in reports for rank_object in _list_rank_objects(node, reports, step)
    ]
    recorded_tokens = [
        str(_get_receipt_want(reports, node, step).get("token", "")) for node in reports
    ]
    completed = _get_receipt_want(reports, head, GROUP.get_step_name(service)).get("token")
    used_tokens = tuple(token for token in [*recorded_tokens, str(completed or "")] if token)
    return ServiceState(tuple(objects), used_tokens, str(completed) if completed else None)


def list_services_by_node(services: Mapping[str, ServiceState], reports: Reports) -> ServicesByNode:
    """By node: the services of which something runs on it."""
    return {
        node: tuple(name for name, state in services.items() if state.is_running_on(node))
        for node in reports
    }


def _list_rank_objects(node: str, reports: Reports, step: str) -> list[RankObject]:
    if node not in reports:
        return []
    rank_objects = map(
        as_mapping, as_list(as_mapping(reports[node].steps.get(step)).get("members"))
    )
    return [
        RankObject(
            node,
            str(rank_object["kind"]),
            _parse_rank(rank_object),
            str(rank_object["token"]),
            bool(rank_object["alive"]),
        )
        for rank_object in rank_objects
    ]


def _parse_rank(member: Mapping[str, object]) -> int:
    rank = str(member["rank"])
    return int(rank) if rank.isdigit() else -1


def _get_receipt_want(reports: Reports, node: str, step: str) -> Mapping[str, object]:
    """The want of the step's receipt; empty where there is none."""
    text = reports[node].receipts.get(step) if node in reports else None
    receipt = parse_receipt(text)
    return as_mapping(receipt.want) if receipt else {}
