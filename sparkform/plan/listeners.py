"""What listens on a node, and where programs of ours cannot listen. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface

from node.host.addresses import is_loopback
from sparkform.errors import Problem
from sparkform.plan.context import PlanContext
from sparkform.report.facts import NodeReport

RUNNING = "running"


def find_foreign_address(
    context: PlanContext, node: str, declared: str, path: str
) -> Iterator[Problem]:
    """A program that cannot listen is started for ever. Fabric addresses may be yet to come."""
    report, address = context.reports.get(node), ip_address(declared)
    interfaces = report.facts.interfaces if report else None
    if interfaces is None or address.is_unspecified or is_loopback(declared):
        return
    present = {ip_interface(text).ip for interface in interfaces for text in interface.addresses}
    coming = {link.planned.address.ip for link in context.network.fabric.get(node, ())}
    if address not in present | coming:
        yield Problem(
            path=path,
            message=f"is no address of {node}",
            got=declared,
            allowed=", ".join(sorted(str(ip) for ip in present if not ip.is_link_local)),
            remedy="choose one of these, or leave the key out for its default",
        )


def find_taken_port(
    report: NodeReport, node: str, container: str, port: int, path: str
) -> Iterator[Problem]:
    """What was not read of a node is no conflict: the container would say so itself."""
    listener = _find_listener(report, port)
    if listener is not None and not is_container_running(report, container):
        yield Problem(
            path=path,
            message=f"is used by {listener} on {node}",
            got=str(port),
            remedy="choose another port",
        )


def _find_listener(report: NodeReport, port: int) -> str | None:
    listeners = [
        listener.process or "another program"
        for listener in report.facts.ports or ()
        if (listener.protocol, listener.port) == ("tcp", port)
    ]
    return listeners[0] if listeners else None


def is_container_running(report: NodeReport, name: str) -> bool:
    """Whether it is our own program that listens; unknown counts as ours."""
    if report.facts.containers is None:
        return True
    return any(
        container.name == name and container.state == RUNNING
        for container in report.facts.containers
    )
