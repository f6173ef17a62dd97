"""All checks of all nodes, in the order in which one needs the other. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sparkform.config import EffectiveNode, Spec
from sparkform.doctor import access, docker, drift, engines, gpu, machine, required_ports
from sparkform.doctor.check import Check, NodeCheck, Status, View
from sparkform.doctor.fabric import fabric
from sparkform.doctor.native import native
from sparkform.plan.rack import RackPlan, plan_rack
from sparkform.plan.steps import StackName
from sparkform.report.facts import NodeDocument
from sparkform.report.rack_report import Observation
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import ADVISORY, MANDATORY

BEFORE: Sequence[NodeCheck] = (
    *access.CHECKS,
    *machine.CHECKS,
    *gpu.CHECKS,
    *docker.CHECKS,
    *required_ports.CHECKS,
)
AFTER: Sequence[NodeCheck] = (*engines.CHECKS, *drift.CHECKS, *access.LAST)


def diagnose(
    spec: Spec, stack: StackName, seen: Observation, program_sha256: str
) -> tuple[Check, ...]:
    """Every row, node by node in the order of the stack file, the rack as a whole last."""
    documents = seen.documents
    here = without_missing(spec, seen)
    plan = plan_rack(here, documents, stack, program_sha256)
    rows: list[Check] = []
    for node in spec.nodes:
        if node.name in documents:
            report = seen.nodes[node.name]
            view = View(here, stack, plan, node, report, documents[node.name])
            rows += _present(view, documents)
        else:
            rows.append(_absent(node, seen))
    return (*rows, *_rack(spec, plan, documents), *_rules(here, documents))


def without_missing(spec: Spec, seen: Observation) -> Spec:
    """The rack as far as it answered: planned as if the others were away.

    Without the head nothing can be said about the Swarm that it leads.
    """
    there = set(seen.documents)
    nodes = [one.model_copy(update={"away": one.name not in there}) for one in spec.cluster.nodes]
    changes: dict[str, object] = {"nodes": tuple(nodes)}
    if spec.head.name not in there:
        changes["swarm"] = spec.cluster.swarm.model_copy(update={"enabled": False})
    cluster = spec.cluster.model_copy(update=changes)
    return Spec.model_validate({"cluster": cluster, "services": spec.services})


def _rules(spec: Spec, documents: dict[str, NodeDocument]) -> Iterator[Check]:
    """What the rules say of the declaration on these machines."""
    found = evaluate(Context(spec=spec, documents=documents))
    weights: dict[str, Status] = {MANDATORY: "fail", ADVISORY: "warn"}
    for one in found.violations:
        place = f"{one.path}: {one.message} ({one.evidence})"
        yield Check(None, f"rule {one.rule}", weights[one.severity], place, one.remedy)


def _present(view: View, documents: dict[str, NodeDocument]) -> Iterator[Check]:
    for check in BEFORE:
        yield from check(view)
    yield from fabric(view, documents)
    yield from native(view, documents)
    for check in AFTER:
        yield from check(view)


def _absent(node: EffectiveNode, seen: Observation) -> Check:
    report = seen.nodes.get(node.name)
    if node.away:
        return Check(node.name, "login", "ok", "away: not contacted, by declaration")
    if report is None or report.error is None:
        fix = "record the facts again with this stack file"
        return Check(node.name, "login", "fail", "is not among the recorded facts", fix)
    return Check(node.name, "login", "fail", report.error.what, report.error.remedy)


def _rack(spec: Spec, plan: RackPlan, documents: dict[str, NodeDocument]) -> Iterator[Check]:
    for problem in plan.problems:
        fix = problem.remedy or "change the stack file"
        said = str(problem).removesuffix(f"; {problem.remedy}")
        yield Check(None, "plan", "fail", said, fix)
    yield from _host_names(documents)
    yield from engines.groups(spec, documents)


def _host_names(documents: dict[str, NodeDocument]) -> Iterator[Check]:
    """Docker knows nodes by host name: two of one name cannot be told apart in a Swarm."""
    hosts = {name: one.facts.host.hostname for name, one in documents.items() if one.facts.host}
    for hostname, count in Counter(hosts.values()).items():
        if count > 1:
            twins = ", ".join(name for name, own in hosts.items() if own == hostname)
            fix = "`sudo hostnamectl set-hostname NAME` on all but one, then reboot it"
            yield Check(None, "host names", "fail", f"{twins} all call themselves {hostname}", fix)
