"""Every declared service as steps and a token, decided from launches and facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.host.plain import listing, mapping
from sparkform.fabric.links import run_of
from sparkform.fabric.network import Documents
from sparkform.launch.records import Launch
from sparkform.plan.disturbance import Serving, disturbs
from sparkform.plan.groups import Found, Group, Seen, decide_group
from sparkform.plan.launch_differences import differing, summary
from sparkform.plan.service_steps import BEFORE, GROUP, MEMBER, READY, SLOT, Inputs, Row
from sparkform.plan.steps import PlannedStep
from sparkform.report.receipts import Json, parse_receipt

MakeStep = Callable[[str, str, Json, Json], PlannedStep]
"""Node, step, want and what is seen to the planned step."""


@dataclass(frozen=True)
class Stage:
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
    before: tuple[Stage, ...]
    slot: Stage
    members: Stage
    after: tuple[Stage, ...]
    lines: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        stages = (*self.before, self.slot, self.members, *self.after)
        return tuple(step for stage in stages for step in stage.steps.values())


@dataclass(frozen=True)
class ServicePlanner:
    """Plans one service: `stale` are the secrets that its nodes have otherwise than the stack."""

    inputs: Inputs
    make: MakeStep
    stale: Collection[str] = ()

    def before(self) -> tuple[Stage, ...]:
        """The steps that bring what a rank is started with."""
        return self._stages(BEFORE, "")

    def plan(self, before: tuple[Stage, ...], stopping: Sequence[PlannedStep]) -> ServicePlan:
        """`stopping` are the steps of today that stop the service."""
        group = self._group(before, stopping)
        slot, members = self._stages((SLOT, MEMBER), group.token)
        started = self._stage(GROUP, group.token)
        return ServicePlan(
            launches=self.inputs.launches,
            models=self.inputs.spec.services[self.inputs.service].fetched_models,
            token=group.token,
            before=before,
            slot=slot,
            members=members,
            after=(started, self._checking(started)._stage(READY, group.token)),
            lines=tuple(f"service {self.inputs.service}: {line}" for line in group.lines),
        )

    def _checking(self, started: Stage) -> ServicePlanner:
        """The planner of what makes sure of these steps: it runs again when they do."""
        owner = self.inputs.stack.owner
        checked = {
            f"{node} {one.step}": run_of(owner(node, one.step), one.decision)
            for node, one in started.steps.items()
        }
        return replace(self, inputs=replace(self.inputs, checked=checked))

    def _stages(self, rows: Iterable[Row], token: str) -> tuple[Stage, ...]:
        return tuple(self._stage(row, token) for row in rows)

    def _stage(self, row: Row, token: str) -> Stage:
        step = row.step(self.inputs.service)
        wants = row.wants(self.inputs, token)
        return Stage(row.kind, {node: self._step(row, node, step, wants[node]) for node in wants})

    def _step(self, row: Row, node: str, step: str, want: Json) -> PlannedStep:
        seen = mapping(self.inputs.documents[node].steps.get(step))
        return self.make(node, step, want, row.beside(self.inputs, seen) if row.beside else seen)

    def _group(self, before: tuple[Stage, ...], stopping: Sequence[PlannedStep]) -> Group:
        inputs = self.inputs
        own = [step for stage in before for step in stage.steps.values()]
        stopped = [
            f"{one.node} {one.step} changes, so it is stopped first and started again"
            for one in [*stopping, *(step for step in own if disturbs(step) != "none")]
        ]
        stopped += [f"{secret} differs, will be started anew with it" for secret in self.stale]
        now = seen(inputs.service, inputs.documents, inputs.spec.head.name)
        return decide_group(inputs.launches, now, self._differing(), stopped)

    def _differing(self) -> list[str]:
        """What differs from the launches that the slots keep, each phrase once."""
        found: dict[str, None] = {}
        for launch in self.inputs.launches:
            receipt = _receipt(self.inputs.documents, launch.node, SLOT.step(launch.service))
            found |= dict.fromkeys(differing(mapping(receipt.get("launch")), summary(launch)))
        return list(found)


def seen(service: str, documents: Documents, head: str) -> Seen:
    """What the nodes report of a service, those that it has left included."""
    step = SLOT.step(service)
    found = [one for node in documents for one in _found(node, documents, step)]
    used = [str(_receipt(documents, node, step).get("token", "")) for node in documents]
    completed = _receipt(documents, head, GROUP.step(service)).get("token")
    kept = tuple(token for token in [*used, str(completed or "")] if token)
    return Seen(tuple(found), kept, str(completed) if completed else None)


def serving(services: Mapping[str, Seen], documents: Documents) -> Serving:
    """By node: the services of which something runs on it."""
    return {
        node: tuple(name for name, one in services.items() if one.runs_on(node))
        for node in documents
    }


def _found(node: str, documents: Documents, step: str) -> list[Found]:
    if node not in documents:
        return []
    members = map(mapping, listing(mapping(documents[node].steps.get(step)).get("members")))
    return [
        Found(node, str(one["kind"]), _rank(one), str(one["token"]), bool(one["alive"]))
        for one in members
    ]


def _rank(member: Mapping[str, object]) -> int:
    rank = str(member["rank"])
    return int(rank) if rank.isdigit() else -1


def _receipt(documents: Documents, node: str, step: str) -> Mapping[str, object]:
    """The want of the step's receipt; empty where there is none."""
    text = documents[node].receipts.get(step) if node in documents else None
    receipt = parse_receipt(text)
    return mapping(receipt.want) if receipt else {}
