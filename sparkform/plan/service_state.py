"""What the nodes report of a service: the objects of its ranks, the tokens of its runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.host.plain import as_mapping
from node.steps import group, stop_previous
from sparkform.fabric.network import Reports
from sparkform.plan.context import PlanContext
from sparkform.plan.disturbance import ServicesByNode
from sparkform.plan.supervision import ABSENT, ServiceSupervision, read_supervision
from sparkform.report.receipts import parse_receipt


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
    it may have other objects."""

    objects: tuple[RankObject, ...] = ()
    used_tokens: tuple[str, ...] = ()
    completed_token: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    supervision: ServiceSupervision = ABSENT

    def is_running_on(self, node: str) -> bool:
        """Whether a rank runs there, or may be started again at any time."""
        comes_back = self.supervision.standing in ("keeps", "unknown")
        return any(
            (rank_object.is_alive or comes_back) and rank_object.node == node
            for rank_object in self.objects
        )


def get_service_state(service: str, context: PlanContext) -> ServiceState:
    """What the nodes report of a service, those that it has left included."""
    reports, declaration = context.reports, context.declaration
    observed = {node: _read_observed(node, reports, service) for node in reports}
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
    return ServiceState(tuple(objects), used_tokens, completed, unknown, supervision)


def list_services_by_node(services: Mapping[str, ServiceState], reports: Reports) -> ServicesByNode:
    """By node: the services of which something runs on it."""
    return {
        node: tuple(name for name, state in services.items() if state.is_running_on(node))
        for node in reports
    }


def read_started_launch(reports: Reports, node: str, service: str) -> Mapping[str, object]:
    """The summary of the launch that the node's rank was started with; empty where unknown."""
    text = reports[node].receipts.get(get_stop_step(service)) if node in reports else None
    receipt = parse_receipt(text)
    want = stop_previous.SPEC.read_want(receipt.want) if receipt else None
    return (want.launch if want else None) or {}


def get_stop_step(service: str) -> str:
    return f"{stop_previous.SPEC.name}:{service}"


def _read_observed(node: str, reports: Reports, service: str) -> stop_previous.Observed:
    return stop_previous.SPEC.read_observed(reports[node].steps.get(get_stop_step(service)))


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
