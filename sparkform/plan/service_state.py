"""What the nodes report of a service: the objects of its ranks, the tokens of its runs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from node.host.plain import as_mapping
from node.steps import STEPS, group, stop_previous
from sparkform.fabric.network import Reports
from sparkform.plan.context import PlanContext
from sparkform.plan.disturbance import ServicesByNode
from sparkform.plan.supervision import ABSENT, ServiceSupervision, read_supervision
from sparkform.report.receipts import parse_receipt
from sparkform.report.unknown import Unknown

PLANNED_FACTS = ("fact gpu", "fact models", "fact host", "fact swarm")
"""Facts that a step's want, or a launch, follows from."""


@dataclass(frozen=True)
class RankObject:
    """One thing of a rank that a node, or the Swarm, has."""

    node: str
    kind: str
    rank: int
    token: str
    is_alive: bool


@dataclass(frozen=True)
class ServiceState:
    """A service as the nodes report it. `used_tokens` are all that any of them has recorded;
    `completed_token` is that of the last run whose ranks were all started. `unknown`: by node, why
    it may have other objects; `unread`: by node, why nothing of it is known there. `restored`: the
    launch that was started again because a newer one had failed."""

    objects: tuple[RankObject, ...] = ()
    used_tokens: tuple[str, ...] = ()
    completed_token: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    supervision: ServiceSupervision = ABSENT
    restored: stop_previous.RestoredLaunch | None = None

    def may_run_on(self, node: str) -> bool:
        """Whether something of it runs there, may as far as is known, or may be started again at
        any time."""
        comes_back = self.supervision.standing in ("keeps", "unknown")
        return node in self.unread or any(
            (rank_object.is_alive or comes_back) and rank_object.node == node
            for rank_object in self.objects
        )

    @property
    def whole_token(self) -> str:
        """That of the last run, where all of it was started and nothing since; else empty."""
        tokens = set(self.used_tokens)
        return self.completed_token or "" if tokens == {self.completed_token} else ""


def get_service_state(service: str, context: PlanContext) -> ServiceState:
    """What the nodes report of a service, those that it has left included."""
    reports, declaration = context.reports, context.declaration
    states = {node: reports[node].read_step(get_stop_step(service)) for node in reports}
    unread = {node: state.reason for node, state in states.items() if isinstance(state, Unknown)}
    observed = {
        node: stop_previous.SPEC.read_observed(None if node in unread else state)
        for node, state in states.items()
    }
    objects = [
        rank_object for node in reports for rank_object in _list_rank_objects(node, observed[node])
    ]
    unknown = {node: ranks.unknown for node, ranks in observed.items() if ranks.unknown}
    completed = _read_token(reports, declaration.head.name, f"{group.SPEC.name}:{service}")
    tokens = [_read_token(reports, node, get_stop_step(service)) for node in reports]
    used_tokens = tuple(filter(None, [*tokens, completed]))
    coordinator = declaration.list_service_nodes(service)[0].name
    policy = declaration.services[service].restart_policy
    supervision = read_supervision(service, reports, coordinator, policy)
    restored = next((ranks.restored for ranks in observed.values() if ranks.restored), None)
    return ServiceState(
        tuple(objects), used_tokens, completed, unknown, unread, supervision, restored
    )


def list_services_by_node(services: Mapping[str, ServiceState], reports: Reports) -> ServicesByNode:
    """By node: the services of which something runs on it."""
    return {
        node: tuple(name for name, state in services.items() if state.may_run_on(node))
        for node in reports
    }


def list_unclear_services(context: PlanContext) -> dict[str, str]:
    """By service: the first thing that was not read of what it is started from on its nodes."""
    declaration = context.declaration
    unclear = {}
    for name in declaration.services:
        members = [node.name for node in declaration.list_service_nodes(name)]
        unknown = find_unclear_item(context.reports, {declaration.head.name, *members})
        if unknown:
            unclear[name] = unknown
    return unclear


def find_unclear_item(reports: Reports, nodes: Collection[str]) -> str | None:
    """The first fact or step, of those that plans follow from, that one of the nodes did not
    read."""
    for node in reports:
        for unread in reports[node].unreadable if node in nodes else ():
            kind, _, name = unread.what.partition(" ")
            if unread.what in PLANNED_FACTS or (kind == "step" and _has_state(name)):
                return f"{node} {unread.what}: {unread.why}"
    return None


def _has_state(step: str) -> bool:
    spec = STEPS.get(step)
    return spec is None or spec.has_state


def read_started_launch(reports: Reports, node: str, service: str) -> Mapping[str, object]:
    """The summary of the launch that the node's rank was started with; empty where unknown."""
    step = reports[node].steps.get(get_stop_step(service)) if node in reports else None
    restored = stop_previous.SPEC.read_observed(step).restored
    if restored is not None:
        return restored.launch
    text = reports[node].receipts.get(get_stop_step(service)) if node in reports else None
    receipt = parse_receipt(text)
    want = stop_previous.SPEC.read_want(receipt.want) if receipt else None
    return (want.launch if want else None) or {}


def get_stop_step(service: str) -> str:
    return f"{stop_previous.SPEC.name}:{service}"


def _list_rank_objects(node: str, observed: stop_previous.Observed) -> list[RankObject]:
    return [
        RankObject(node, rank.kind, -1 if rank.rank is None else rank.rank, rank.token, rank.alive)
        for rank in observed.members
    ]


def _read_token(reports: Reports, node: str, step: str) -> str | None:
    """Of the step's receipt, whichever version wrote it: a token must never name two runs."""
    receipt = parse_receipt(reports[node].receipts.get(step) if node in reports else None)
    token = as_mapping(receipt.want).get("token") if receipt else None
    return token if isinstance(token, str) else None
