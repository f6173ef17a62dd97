"""All checks of all nodes, in the order in which one needs the other. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sparkform.config import Declaration, EffectiveNode
from sparkform.doctor import (
    access,
    docker,
    drift,
    engines,
    gateway,
    gpu,
    host_settings,
    machine,
    monitoring,
    required_ports,
    room,
    supervision,
)
from sparkform.doctor.bandwidth import check_bandwidth
from sparkform.doctor.check import Check, NodeCheck, NodeView, Status
from sparkform.doctor.comparison import compare_nodes
from sparkform.doctor.fabric import check_fabric
from sparkform.doctor.link_cost import check_link_cost
from sparkform.doctor.native import check_native
from sparkform.fabric.network import Reports
from sparkform.plan.problems import list_unread_items
from sparkform.plan.rack import plan_rack
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.secrets import NO_SECRETS, StackSecrets
from sparkform.plan.steps import StackName
from sparkform.report.rack_report import Observation
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import ADVISORY, MANDATORY

WARN: Status = "warn"
FAIL: Status = "fail"
CHECKS_BEFORE_FABRIC: Sequence[NodeCheck] = (
    *access.CHECKS,
    *machine.CHECKS,
    *room.CHECKS,
    *gpu.CHECKS,
    *host_settings.CHECKS,
    *docker.CHECKS,
    *required_ports.CHECKS,
)
CHECKS_AFTER_FABRIC: Sequence[NodeCheck] = (
    *engines.CHECKS,
    *supervision.CHECKS,
    *gateway.CHECKS,
    *monitoring.CHECKS,
    *drift.CHECKS,
    *access.FINAL_CHECKS,
)


def diagnose(
    declaration: Declaration,
    stack: StackName,
    observation: Observation,
    program_sha256: str,
    secrets: StackSecrets = NO_SECRETS,
) -> tuple[Check, ...]:
    """Every row, node by node in the order of the stack file, the rack as a whole last."""
    reports, plannable = observation.reports, select_plannable(declaration, observation.reports)
    plan = plan_rack(plannable, reports, stack, program_sha256, secrets)
    checks: list[Check] = []
    for node in declaration.nodes:
        if node.name in reports:
            query = observation.nodes[node.name]
            view = NodeView(declaration, stack, plan, node, query, reports[node.name])
            checks += _check_node(view, reports)
        else:
            checks.append(_check_missing_node(node, observation))
    checks += _check_rack(declaration, plan, reports)
    checks += compare_nodes(declaration, observation, plan.network)
    return (*checks, *_check_rules(declaration, reports, plan))


def select_plannable(declaration: Declaration, reports: Reports) -> Declaration:
    """The declaration as far as it can be planned: nodes of which too little was read are away,
    which leaves out the services that need them.

    Without the head nothing can be said about the Swarm that it leads.
    """
    known = {
        name for name, report in reports.items() if not list_unread_items(declaration, name, report)
    }
    nodes = [
        node.model_copy(update={"away": node.away or node.name not in known})
        for node in declaration.cluster.nodes
    ]
    changes: dict[str, object] = {"nodes": tuple(nodes)}
    if declaration.head.name not in known:
        changes["swarm"] = declaration.cluster.swarm.model_copy(update={"enabled": False})
    services = {
        name: block.model_copy(update={"nodes": declaration.list_declared_nodes(name)})
        for name, block in declaration.declared_services.items()
    }
    cluster = declaration.cluster.model_copy(update=changes)
    declared = declaration.gateway if declaration.gateway_node.name in known else None
    return Declaration.model_validate(
        {"cluster": cluster, "services": services, "gateway": declared}
    )


def _check_rules(declaration: Declaration, reports: Reports, plan: RackPlan) -> Iterator[Check]:
    """What the rules say of the declaration on these machines."""
    context = Context(declaration=declaration, reports=reports, network=plan.network)
    yield from check_link_cost(context)
    verdict = evaluate(context)
    statuses: dict[str, Status] = {MANDATORY: "fail", ADVISORY: "warn"}
    for violation in verdict.violations:
        name, status = f"rule {violation.rule}", statuses[violation.severity]
        message = f"{violation.path}: {violation.message} ({violation.evidence})"
        yield Check(None, name, status, message, violation.instruction)


def _check_node(view: NodeView, reports: Reports) -> Iterator[Check]:
    for check in CHECKS_BEFORE_FABRIC:
        yield from check(view)
    yield from check_fabric(view, reports)
    yield from check_bandwidth(view)
    yield from check_native(view)
    for check in CHECKS_AFTER_FABRIC:
        yield from check(view)


def _check_missing_node(node: EffectiveNode, observation: Observation) -> Check:
    query = observation.nodes.get(node.name)
    if node.away:
        return Check(node.name, "login", "ok", "away by declaration; not contacted")
    if query is None or query.error is None:
        fix = "record the facts again with this stack file"
        return Check(node.name, "login", "fail", "is not among the recorded facts", fix)
    return Check(node.name, "login", "fail", query.error.what, query.error.remedy)


def _check_rack(declaration: Declaration, plan: RackPlan, reports: Reports) -> Iterator[Check]:
    name, status = (drift.NOT_CHANGED, WARN) if plan.is_unread else ("plan", FAIL)
    for problem in plan.problems:
        fix = problem.remedy or "change the stack file"
        message = str(problem).removesuffix(f"; {problem.remedy}")
        yield Check(None, name, status, message, fix)
    for service in plan.services.values():
        if service.unknown:
            yield Check(None, drift.NOT_CHANGED, "warn", "\n".join(service.lines))
    yield from _check_host_names(reports)
    yield from engines.check_start_tokens(declaration, reports)


def _check_host_names(reports: Reports) -> Iterator[Check]:
    """Docker knows nodes by host name: two of one name cannot be told apart in a Swarm."""
    hosts = {
        name: report.facts.host.hostname for name, report in reports.items() if report.facts.host
    }
    for hostname, count in Counter(hosts.values()).items():
        if count > 1:
            twins = ", ".join(
                name for name, node_hostname in hosts.items() if node_hostname == hostname
            )
            fix = "`sudo hostnamectl set-hostname NAME` on all but one, then reboot"
            yield Check(
                None, "host names", "fail", f"{twins} have the same host name {hostname}", fix
            )
