"""What is supervised of a service, from its launches; and what its supervisors say of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from node.ranks.capacity import PortDemand
from node.steps import supervise
from node.supervision.report import SupervisionReport
from node.supervision.target import (
    RestartPolicy,
    SupervisedRank,
    SupervisionLimits,
    SupervisionTarget,
    SwarmHead,
)
from sparkform.config import AnyService, Declaration
from sparkform.fabric.network import Network, Reports
from sparkform.launch.paths import get_rank_name, get_unit_name
from sparkform.launch.ports import plan_ports
from sparkform.launch.records import Launch
from sparkform.plan.readiness import build_api_url, find_key_file, uses_rdma

Standing = Literal["absent", "keeps", "ended", "unknown"]
PHASE_WORDS: Mapping[str, str] = {
    "starting": "is starting again",
    "serving": "serves",
    "degraded": "serves, degraded",
    "suspect": "is suspected to have failed",
    "recovering": "is recovering",
    "blocked": "cannot recover yet",
    "gave-up": "was given up",
    "needs-up": "needs `pulumi up`",
    "paused": "is paused",
    "stopped": "has failed and is not restarted (restartPolicy: none)",
}


@dataclass(frozen=True)
class ServiceSupervision:
    """What rank 0's supervisor does for a service. `absent`: none runs. `keeps`: it keeps the ranks
    of `token` alive, or brings them back. `ended`: it starts nothing any more. `unknown`: nobody
    can tell. `words`: in what state the service is, or why that is unknown."""

    standing: Standing
    token: str = ""
    words: str = ""
    is_whole: bool = True


ABSENT = ServiceSupervision("absent")


def build_targets(
    declaration: Declaration,
    service: str,
    launches: Sequence[Launch],
    network: Network,
    token: str,
) -> dict[str, SupervisionTarget]:
    """By node: each with a rank and, for the Swarm, the head."""
    declared, port = declaration.services[service], plan_ports(declaration, service).supervisor
    head = SwarmHead(declaration.head.name, str(network.management[declaration.head.name].ip), port)
    is_swarm = declared.runtime == "swarm"
    nodes = [*(launch.node for launch in launches), *([head.node] if is_swarm else [])]
    return {
        node: SupervisionTarget(
            service=service,
            token=token,
            runtime=declared.runtime,
            engine=declared.engine,
            node=node,
            ranks=tuple(_build_rank(launch, network, port) for launch in launches),
            url=build_api_url(declaration, service, network),
            served_name=declaration.get_served_name(service),
            key_file=find_key_file(launches[0]),
            over_rdma=uses_rdma(launches),
            limits=_build_limits(declared),
            policy=declared.restart_policy,
            swarm_head=head if is_swarm else None,
            earlier=_list_earlier(declaration, service),
            task=declared.task,
        )
        for node in dict.fromkeys(nodes)
    }


def _build_rank(launch: Launch, network: Network, port: int) -> SupervisedRank:
    address = str(network.management[launch.node].ip)
    is_native, service = launch.runtime == "native", launch.service
    name = get_unit_name(service) if is_native else get_rank_name(service, launch.rank)
    ports = tuple(
        PortDemand(number=use.number, address=use.address, purpose=use.purpose)
        for use in launch.ports
        if use.number != port
    )
    return SupervisedRank(launch.rank, launch.node, address, port, name, ports)


def _list_earlier(declaration: Declaration, service: str) -> tuple[str, ...]:
    """The services that share a node and start before, as `up` starts them: by their place in the
    stack file."""
    nodes = [node.name for node in declaration.list_service_nodes(service)]
    neighbours = {other for node in nodes for other in declaration.list_neighbours(service, node)}
    names = list(declaration.services)
    return tuple(name for name in names[: names.index(service)] if name in neighbours)


def _build_limits(declared: AnyService) -> SupervisionLimits:
    return SupervisionLimits(
        ready_timeout_s=declared.ready_timeout_seconds,
        silence_timeout_s=declared.silence_timeout_seconds,
        stall_s=declared.stall_seconds,
        max_restarts=declared.max_restarts,
        restart_window_s=declared.restart_window_seconds,
    )


def read_supervision(
    service: str, reports: Reports, coordinator: str, policy: RestartPolicy
) -> ServiceSupervision:
    """As the node of rank 0 reports it; the other nodes know only what they were told. Where
    nothing is to be restarted, nobody keeps a run alive."""
    report = reports.get(coordinator)
    if report is None or policy == "none":
        return ABSENT
    step = f"{supervise.SPEC.name}:{service}"
    unread = report.find_unread_reason(f"step {step}")
    if unread is not None:
        return ServiceSupervision("unknown", words=unread)
    said = supervise.SPEC.read_observed(report.steps.get(step)).report
    return ABSENT if said is None else judge_report(said)


def judge_report(report: SupervisionReport) -> ServiceSupervision:
    """Unknown is neither absent nor ended: a supervisor that runs may do anything."""
    if report.is_active is False:
        return ABSENT
    if report.is_active is None or report.unknown is not None or report.phase is None:
        words = report.unknown or "the supervisor has not written its state"
        return ServiceSupervision("unknown", report.token, words)
    standing: Standing = "ended" if report.has_ended else "keeps"
    return ServiceSupervision(standing, report.token, describe_phase(report), report.is_serving)


def describe_phase(report: SupervisionReport) -> str:
    """
    >>> describe_phase(SupervisionReport("qwen", True, phase="recovering", epoch=3, restarts=1,
    ...                                  detail="rank 1 is gone"))
    'is recovering (epoch 3, 1 restart): rank 1 is gone'
    """
    count = "1 restart" if report.restarts == 1 else f"{report.restarts} restarts"
    detail = f": {report.detail}" if report.detail else ""
    return f"{PHASE_WORDS[report.phase or 'serving']} (epoch {report.epoch}, {count}){detail}"
