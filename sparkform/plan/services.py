"""Every declared service as steps and a token, decided from launches and reports. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.steps import ObservedT, WantT, docker_daemon, member
from sparkform.fabric.links import build_run_reference
from sparkform.launch.records import Launch
from sparkform.plan.context import PlanContext
from sparkform.plan.disturbance import list_stopping_steps
from sparkform.plan.launch_differences import describe_differences, summarize_launch
from sparkform.plan.runs import ServiceRun, decide_run, list_missing_ranks
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.service_state import ServiceState, read_started_launch
from sparkform.plan.service_steps import (
    GROUP,
    MEMBER,
    PREPARATION,
    READY,
    STOP_PREVIOUS,
    SUPERVISE,
    SUPERVISION_KEY,
    AnyKind,
    ServiceInputs,
    ServiceStepKind,
)
from sparkform.plan.steps import PlannedStep, hold_unknown

DOCKER = docker_daemon.SPEC.name
"""Where this step changes, dockerd is known to be down or wrong, and is mended first."""


@dataclass(frozen=True)
class StepStage:
    """One kind of step on its nodes, by node; all of them come before the next stage."""

    kind: str
    steps: Mapping[str, PlannedStep]


@dataclass(frozen=True)
class ServicePlan:
    """One service. `lines` say why it starts anew; empty where it runs as declared, or comes back
    by itself, which `notes` say. `models` are the handles of what is fetched. `unknown`: what was
    not read, so that all of it stays as it is; its token is then empty where it was never started
    whole."""

    launches: tuple[Launch, ...]
    models: tuple[str, ...]
    token: str
    preparation: tuple[StepStage, ...]
    stop_previous: StepStage
    members: StepStage
    after: tuple[StepStage, ...]
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: str | None = None

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        stages = (*self.preparation, self.stop_previous, self.members, *self.after)
        return tuple(step for stage in stages for step in stage.steps.values())


def plan_services(
    context: PlanContext,
    launches: Mapping[str, tuple[Launch, ...]],
    states: Mapping[str, ServiceState],
    rack_steps: Sequence[PlannedStep],
    secrets: StackSecrets,
) -> dict[str, ServicePlan]:
    """By name, as `states` has them too. `rack_steps` are those of the rack itself, some of which
    may stop a service."""
    return {
        name: _ServicePlanner(
            ServiceInputs(context=context, service=name, launches=ranks),
            states[name],
            secrets.list_stale(ranks, context.reports),
        ).plan(rack_steps)
        for name, ranks in launches.items()
    }


@dataclass(frozen=True)
class _ServicePlanner:
    """Plans one service. `stale_secrets` are those of which its nodes have an older value; `before`
    are the steps of its nodes, which come first."""

    inputs: ServiceInputs
    state: ServiceState
    stale_secrets: Collection[str] = ()
    before: Sequence[PlannedStep] = ()

    def plan(self, rack_steps: Sequence[PlannedStep]) -> ServicePlan:
        """`rack_steps` are the steps of the rack, which come before those of the service."""
        before = self._list_own_steps(rack_steps)
        planner = replace(self, before=before)
        preparation = planner._plan_stages(PREPARATION, "")
        run = planner._decide_run(preparation, list_stopping_steps(self.inputs.service, rack_steps))
        if run.lines and (unknown := planner._find_unknown(preparation)):
            return planner._hold(unknown)
        stop_previous, group = planner._plan_stages((STOP_PREVIOUS, GROUP), run.token)
        # A rank of a run that goes on is started by its supervisor, with the others or not at all.
        kept = None if run.lines else member.Observed(run.token)
        members = planner._plan_stage(MEMBER, run.token, kept)
        ready = planner._with_checked_steps(group)._plan_stage(READY, run.token)
        supervision = planner._plan_stages((SUPERVISION_KEY, SUPERVISE), run.token)
        return ServicePlan(
            launches=self.inputs.launches,
            models=self.inputs.declared.fetched_models,
            token=run.token,
            preparation=preparation,
            stop_previous=stop_previous,
            members=members,
            after=(group, ready, *supervision),
            lines=tuple(f"service {self.inputs.service}: {line}" for line in run.lines),
            notes=tuple(f"service {self.inputs.service}: {note}" for note in run.notes),
        )

    def _hold(self, unknown: str) -> ServicePlan:
        """All of it as it is."""
        last = (GROUP, READY, SUPERVISION_KEY, SUPERVISE)
        kinds: Sequence[AnyKind] = (*PREPARATION, STOP_PREVIOUS, MEMBER, *last)
        stages = {kind.kind: self._hold_stage(kind, unknown) for kind in kinds}
        preparation = tuple(stages[kind.kind] for kind in PREPARATION)
        line = f"service {self.inputs.service}: unknown ({unknown}); not changed in this run"
        return ServicePlan(
            launches=self.inputs.launches,
            models=self.inputs.declared.fetched_models,
            token=self.state.whole_token,
            preparation=preparation,
            stop_previous=stages[STOP_PREVIOUS.kind],
            members=stages[MEMBER.kind],
            after=tuple(stages[kind.kind] for kind in last),
            lines=(line,),
            unknown=unknown,
        )

    def _hold_stage(self, kind: AnyKind, unknown: str) -> StepStage:
        context, step = self.inputs.context, kind.get_step_name(self.inputs.service)
        nodes = kind.wants(self.inputs, "")
        held = {node: hold_unknown(context.get_record(node, step), unknown) for node in nodes}
        # The service says it once.
        return StepStage(kind.kind, {node: replace(step, lines=()) for node, step in held.items()})

    def _list_own_steps(self, rack_steps: Sequence[PlannedStep]) -> list[PlannedStep]:
        """Those of its nodes, and of the head, where the Swarm is led."""
        nodes = {launch.node for launch in self.inputs.launches}
        if self.inputs.launches[0].runtime == "swarm":
            nodes.add(self.inputs.context.declaration.head.name)
        return [step for step in rack_steps if step.node in nodes]

    def _find_unknown(self, preparation: Sequence[StepStage]) -> str | None:
        """What is not known of that by which it was decided that the service starts anew."""
        context, state = self.inputs.context, self.state
        missing = {launch.node for launch in list_missing_ranks(self.inputs.launches, state)}
        if missing and self.inputs.launches[0].runtime == "swarm":
            missing.add(context.declaration.head.name)
        repaired = {step.node for step in self.before if step.is_changing and step.step == DOCKER}
        unread = {node: why for node, why in state.unknown.items() if node not in repaired}
        unread |= state.unread
        ranks = [f"{node} {STOP_PREVIOUS.kind}: {unread[node]}" for node in missing & {*unread}]
        if missing and state.supervision.standing == "unknown":
            # Its supervisor may be about to start them.
            node = self.inputs.launches[0].node
            ranks.append(f"{node} {SUPERVISE.kind}: {state.supervision.words}")
        facts = [
            f"{launch.node} {unknown}"
            for launch in self.inputs.launches
            if (unknown := context.network.find_unread(launch.node))
            or (unknown := context.find_unknown(launch.node, "fact models"))
        ]
        prepared = [step for stage in preparation for step in stage.steps.values()]
        steps = [
            f"{step.node} {step.step}: {step.unknown}"
            for step in (*self.before, *prepared)
            if step.unknown
        ]
        return next(iter([*sorted(ranks), *facts, *steps]), None)

    def _with_checked_steps(self, stage: StepStage) -> _ServicePlanner:
        """The planner of a stage that verifies these steps: it runs again when they do."""
        owner = self.inputs.context.stack.owner
        checked = {
            f"{node} {step.step}": build_run_reference(owner(node, step.step), step.decision)
            for node, step in stage.steps.items()
        }
        return replace(self, inputs=replace(self.inputs, checked=checked))

    def _plan_stages(self, kinds: Iterable[AnyKind], token: str) -> tuple[StepStage, ...]:
        return tuple(self._plan_stage(kind, token) for kind in kinds)

    def _plan_stage(
        self,
        kind: ServiceStepKind[WantT, ObservedT],
        token: str,
        observed: ObservedT | None = None,
    ) -> StepStage:
        """`observed` takes the place of what each node reports."""
        context, step = self.inputs.context, kind.get_step_name(self.inputs.service)
        steps = {
            node: context.plan_step(
                node,
                kind.spec,
                want,
                step=step,
                observed=observed or kind.read_observed(self.inputs, node),
                before=self.before,
            )
            for node, want in kind.wants(self.inputs, token).items()
        }
        return StepStage(kind.kind, steps)

    def _decide_run(
        self, preparation: Sequence[StepStage], stopping_steps: Sequence[PlannedStep]
    ) -> ServiceRun:
        prepared = [step for stage in preparation for step in stage.steps.values()]
        disturbing = [step for step in prepared if step.disturbance != "none"]
        stop_reasons = [
            f"{step.node} {step.step} changes, so it is stopped first and started again"
            for step in (*stopping_steps, *disturbing)
        ]
        stop_reasons += [
            f"{secret} differs, will be restarted with it" for secret in self.stale_secrets
        ]
        return decide_run(
            self.inputs.launches,
            self.state,
            self._describe_launch_differences(),
            stop_reasons,
            self._compute_next_run(),
        )

    def _compute_next_run(self) -> int:
        """It differs wherever that of one node does: the sum of those of all that take part."""
        head = self.inputs.context.declaration.head.name
        nodes = {head, *(launch.node for launch in self.inputs.launches)}
        return sum(self.inputs.context.reports[node].next_run for node in nodes)

    def _describe_launch_differences(self) -> list[str]:
        """What differs from the launches that `stop_previous` keeps, each phrase once."""
        phrases: dict[str, None] = {}
        for launch in self.inputs.launches:
            started = read_started_launch(self.inputs.context.reports, launch.node, launch.service)
            differences = describe_differences(started, summarize_launch(launch))
            phrases |= dict.fromkeys(differences)
        return list(phrases)
