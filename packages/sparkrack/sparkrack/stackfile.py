"""A stack file that names the rack's nodes. Pure."""

from __future__ import annotations

import yaml

from sparkrack.inventory import NodeContainer
from sparkrack.layout import SimulatedNode, SimulatedRack
from sparkrack.login import USER
from sparkrack.paths import get_identity_file


def _describe_node(node: SimulatedNode, container: NodeContainer) -> dict[str, object]:
    return {"name": node.hostname, "host": str(node.address), "hostKey": container.host_key}


def build_document(rack: SimulatedRack, containers: list[NodeContainer]) -> dict[str, object]:
    cluster: dict[str, object] = {
        "user": USER,
        "identityFile": str(get_identity_file(rack.name)),
        "nodes": [
            _describe_node(node, container)
            for node, container in zip(rack.nodes, containers, strict=True)
        ],
        "fabric": {"topology": str(rack.shape.fabric)},
    }
    return {"config": {"sparkform:cluster": cluster, "sparkform:services": {}}}


def render(rack: SimulatedRack, containers: list[NodeContainer]) -> str:
    return yaml.safe_dump(build_document(rack, containers), sort_keys=False, width=200)
