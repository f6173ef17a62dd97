"""From what the nodes report to what is written about them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkform.commands.init.logins import NodeLogin
from sparkform.commands.init.node_names import choose_node_names
from sparkform.commands.init.stack_text import NewNode
from sparkform.commands.init.topology import DetectedTopology, detect_topology
from sparkform.report.facts import NodeReport

KIB_A_GIB = 1024**2


def propose_nodes(
    logins: Sequence[NodeLogin],
    reports: Mapping[str, NodeReport],
    host_keys: Mapping[str, str],
) -> tuple[tuple[NewNode, ...], DetectedTopology, tuple[str, ...]]:
    """The nodes, their topology, and what the user should know. All by `str(login)`."""
    node_reports = [reports[str(login)] for login in logins]
    names = choose_node_names(
        [report.facts.host.hostname if report.facts.host else None for report in node_reports]
    )
    nodes = tuple(
        NewNode(name, login, host_keys[str(login)], describe_machine(node_report))
        for name, login, node_report in zip(names, logins, node_reports, strict=True)
    )
    by_name = dict(zip(names, node_reports, strict=True))
    detected = detect_topology(
        {name: report.facts.interfaces or () for name, report in by_name.items()}
    )
    return nodes, detected, tuple(_list_warnings(by_name))


def describe_machine(report: NodeReport) -> str:
    """The machine in one line; what could not be read is left out."""
    facts = report.facts
    parts = [gpu.name for gpu in facts.gpu.gpus] if facts.gpu else ["no GPU"]
    if facts.memory:
        parts.append(f"{facts.memory.total_kib / KIB_A_GIB:.1f} GiB")
    if facts.host and facts.host.dgx_os:
        parts.append(f"DGX OS {facts.host.dgx_os}")
    if facts.gpu:
        parts.append(f"driver {facts.gpu.driver}")
    return ", ".join(parts)


def _list_warnings(reports: Mapping[str, NodeReport]) -> list[str]:
    claimed = [
        f"{name} already belongs to stack {report.facts.claim}; `pulumi up` will refuse it"
        for name, report in reports.items()
        if report.facts.claim
    ]
    blind = [
        f"the interfaces of {name} could not be read; the topology is a guess"
        for name, report in reports.items()
        if report.facts.interfaces is None
    ]
    return claimed + blind
