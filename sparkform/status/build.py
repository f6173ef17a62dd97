"""The state of a rack from its declaration and the nodes' documents. Pure."""

from __future__ import annotations

from sparkform.config import Declaration
from sparkform.status.cables import build_cable_statuses
from sparkform.status.nodes import build_node_status
from sparkform.status.rack_status import RackStatus
from sparkform.status.readings import AWAY, Readings
from sparkform.status.services import build_service_status


def build_rack_status(
    stack: str, declaration: Declaration, readings: Readings, unix_time_s: float
) -> RackStatus:
    """`readings` has every node that is not away."""
    complete = {node.name: AWAY for node in declaration.nodes} | dict(readings)
    measured = {
        cable: gbps
        for reading in complete.values()
        for cable, gbps in reading.measured_gbps.items()
    }
    nodes = {node.name: build_node_status(node, complete[node.name]) for node in declaration.nodes}
    return RackStatus(
        stack=stack,
        unix_time_s=unix_time_s,
        topology=declaration.cluster.fabric.topology,
        services=tuple(
            build_service_status(name, declaration, complete) for name in declaration.services
        ),
        nodes=tuple(nodes.values()),
        cables=build_cable_statuses(declaration, nodes, measured),
    )
