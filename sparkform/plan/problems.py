"""Declarations that do not fit these machines: found before anything is planned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from node.steps import native_venv
from sparkform.config import Declaration
from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.fabric.network import Reports
from sparkform.fabric.recall import NETWORK_FACTS, recall_management
from sparkform.plan.context import PlanContext
from sparkform.plan.models import list_required_models
from sparkform.plan.monitoring import WEBHOOK
from sparkform.plan.monitoring_ports import find_listening_problems
from sparkform.plan.native_steps import find_native_problems
from sparkform.plan.secrets import StackSecrets
from sparkform.plan.services import ServicePlan
from sparkform.plan.steps import StackName
from sparkform.report.docker_facts import DockerFacts
from sparkform.report.facts import NodeReport, UnreadableItem

ITEMS_TO_PLAN_FROM = ("fact claim", "receipts", "next_run")
"""What all of a node is planned from: where one was not read, nothing can be said of it. Any other
item that was not read holds its steps alone, and so does the network, where an address of the node
is known otherwise."""

SNAP_DIRECTORY = "/var/snap/docker"


@dataclass(frozen=True)
class Unfitness:
    """Why a dockerd cannot run ranks, as the end of a sentence about it."""

    message: str
    remedy: str


SNAP = Unfitness(
    "is the snap's, which reads no /etc/docker/daemon.json and reaches few folders",
    "`sudo snap remove docker`, then Docker of the distribution or of docker.com (apt); images are "
    "fetched again",
)
UNFIT_OPTIONS = {
    "name=rootless": Unfitness(
        "is rootless, where the host's network is none and Swarm has no overlay",
        "`dockerd-rootless-setuptool.sh uninstall`, then `sudo systemctl enable --now docker`",
    ),
    "name=userns": Unfitness(
        "remaps users (userns-remap), which the host's network and IPC do not allow",
        "take userns-remap out of /etc/docker/daemon.json, `sudo systemctl restart docker`",
    ),
}
"""docs.docker.com: rootless mode, known limitations; userns-remap, user namespace known
limitations."""

NATIVE_ITEM = f"step {native_venv.STEP}"
"""Which steps a native service has follows from whose Python environment is there."""


def list_unread_items(
    declaration: Declaration, node: str, report: NodeReport
) -> list[UnreadableItem]:
    """The items without which nothing can be planned on a node."""
    native = [name for name, service in declaration.services.items() if service.runtime == "native"]
    is_native = any(
        node == member.name for name in native for member in declaration.list_service_nodes(name)
    )
    is_lost = not recall_management(declaration.get_node(node), report)
    items = (
        *ITEMS_TO_PLAN_FROM,
        *((NATIVE_ITEM,) if is_native else ()),
        *(NETWORK_FACTS if is_lost else ()),
    )
    return [item for item in report.unreadable if item.what in items]


def find_unread_items(declaration: Declaration, reports: Reports) -> Iterator[Problem]:
    """One problem for each item without which a node cannot be planned."""
    for node in declaration.active_nodes:
        report = reports.get(node.name)
        for item in list_unread_items(declaration, node.name, report) if report else ():
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{item.what} of {node.name} is unknown ({item.why})",
                because="all of the node is planned from it, so nothing is changed",
                remedy="run it again, or declare the node with `away: true`",
            )


def find_silent_docker(
    declaration: Declaration, reports: Reports, docker_nodes: Iterable[str]
) -> Iterator[Problem]:
    """Pulumi reaches containers through dockerd: it would wait for one that hangs."""
    for node in docker_nodes:
        unknown = reports[node].find_unknown("fact docker")
        is_late = any(item.what == "fact docker" and item.late for item in reports[node].unreadable)
        if unknown and is_late:
            yield Problem(
                path=f"cluster.nodes[{declaration.get_node(node).position}]",
                message=f"docker of {node} is unknown ({unknown.reason})",
                because="the containers there are looked after through it, so nothing is changed",
                remedy=f"run it again; `sudo systemctl status docker` on {node} says how it is",
            )


def find_unstarted_services(services: Mapping[str, ServicePlan]) -> Iterator[Problem]:
    """A service that was never started whole cannot be left as it is."""
    for name, plan in services.items():
        if plan.unknown and not plan.token:
            yield Problem(
                path=format_service_path(name),
                message=f"{name} cannot be started: {plan.unknown}",
                because="what was not read may be in its way, so nothing is changed",
                remedy="run it again, or see what keeps the node busy",
            )


def find_problems(context: PlanContext, secrets: StackSecrets) -> Iterator[Problem]:
    """All of them at once, those of the network excepted."""
    declaration, reports = context.declaration, context.reports
    yield from find_foreign_claims(declaration, reports, context.stack)
    yield from find_missing_gpus(declaration, reports)
    yield from find_unfit_docker(declaration, reports)
    yield from find_native_problems(declaration, reports)
    yield from list_required_models(declaration)[1]
    yield from find_listening_problems(context, WEBHOOK in secrets.names)


def find_foreign_claims(
    declaration: Declaration, reports: Reports, stack: StackName
) -> Iterator[Problem]:
    """One problem for each node that is claimed, and not by this stack."""
    stack_name = str(stack)
    for node in declaration.active_nodes:
        claim = reports[node.name].facts.claim if node.name in reports else None
        if claim is not None and claim != stack_name:
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{node.name} belongs to stack {claim}, not to {stack_name}",
                because="two stacks on one node would undo each other's work",
                remedy=format_claim_remedy(claim, stack),
            )


def format_claim_remedy(claim: str, stack: StackName) -> str:
    """What to do about a node of another stack, or of this one under an earlier name.

    >>> print(format_claim_remedy("spark/old", StackName("spark", "new")))
    run `pulumi destroy` in spark/old first, or leave the node out here; if the stack was renamed, \
run `pulumi stack rename old`
    """
    remedy = f"run `pulumi destroy` in {claim} first, or leave the node out here"
    project, _, old_name = claim.rpartition("/")
    if project != stack.project:
        return remedy
    return f"{remedy}; if the stack was renamed, run `pulumi stack rename {old_name}`"


def is_of_snap(docker: DockerFacts) -> bool:
    return (docker.root_directory or "").startswith(SNAP_DIRECTORY)


def find_unfit_docker(declaration: Declaration, reports: Reports) -> Iterator[Problem]:
    """A dockerd that no setting of ours reaches, or that gives a container none of the host's
    network."""
    for node in declaration.active_nodes:
        docker = reports[node.name].facts.docker if node.name in reports else None
        for unfit in find_unfitness(docker) if docker else ():
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"Docker of {node.name} {unfit.message}",
                remedy=unfit.remedy,
            )


def find_unfitness(docker: DockerFacts) -> Iterator[Unfitness]:
    """Security options are `name=NAME,…` (Docker Engine API, GET /info)."""
    if is_of_snap(docker):
        yield SNAP
    names = {option.partition(",")[0] for option in docker.security_options}
    yield from (UNFIT_OPTIONS[name] for name in sorted(names & {*UNFIT_OPTIONS}))


def find_missing_gpus(declaration: Declaration, reports: Reports) -> Iterator[Problem]:
    """Swarm places work on a GPU by its UUID: without one there is nothing to offer. One that was
    not read holds the step that offers it."""
    for node in declaration.active_nodes:
        report = reports.get(node.name)
        if report is None or not declaration.swarm_enabled:
            continue
        if report.facts.gpu and not report.facts.gpu.gpus:
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{node.name} shows no GPU",
                because="Swarm places work on it by its UUID",
                remedy="`nvidia-smi` on the node says why, and a reboot often brings it back; "
                "or declare the node with `away: true`",
            )
