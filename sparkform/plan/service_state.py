"""What the nodes report of a service: the objects of its ranks, the tokens of its runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.host.plain import as_list, as_mapping
from sparkform.fabric.network import Reports
from sparkform.plan.disturbance import ServicesByNode
from sparkform.report.receipts import parse_receipt

STOP_PREVIOUS, GROUP = "stop_previous", "group"


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
    `completed_token` is that of the last run whose ranks were all started."""

    objects: tuple[RankObject, ...] = ()
    used_tokens: tuple[str, ...] = ()
    completed_token: str | None = None

    def is_running_on(self, node: str) -> bool:
        return any(
            rank_object.is_alive and rank_object.node == node for rank_object in self.objects
        )


def get_service_state(service: str, reports: Reports, head: str) -> ServiceState:
    """What the nodes report of a service, those that it has left included."""
    step = f"{STOP_PREVIOUS}:{service}"
    objects = [
        rank_object for node in reports for rank_object in _list_rank_objects(node, reports, step)
    ]
    recorded_tokens = [
        str(get_receipt_want(reports, node, step).get("token", "")) for node in reports
    ]
    completed = get_receipt_want(reports, head, f"{GROUP}:{service}").get("token")
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


def get_receipt_want(reports: Reports, node: str, step: str) -> Mapping[str, object]:
    """The want of the step's receipt; empty where there is none."""
    text = reports[node].receipts.get(step) if node in reports else None
    receipt = parse_receipt(text)
    return as_mapping(receipt.want) if receipt else {}
