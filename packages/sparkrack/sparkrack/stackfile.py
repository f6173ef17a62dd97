"""A stack file that names the rack's nodes. Pure."""

from __future__ import annotations

import yaml

from sparkrack.inventory import Found
from sparkrack.layout import Node, Rack
from sparkrack.login import USER
from sparkrack.paths import identity_file


def _node(node: Node, found: Found) -> dict[str, object]:
    return {"name": node.hostname, "host": str(node.address), "hostKey": found.host_key}


def document(rack: Rack, found: list[Found]) -> dict[str, object]:
    cluster: dict[str, object] = {
        "user": USER,
        "identityFile": str(identity_file(rack.name)),
        "nodes": [_node(node, seen) for node, seen in zip(rack.nodes, found, strict=True)],
        "fabric": {"topology": str(rack.shape.fabric)},
    }
    return {"config": {"sparkform:cluster": cluster, "sparkform:services": {}}}


def text(rack: Rack, found: list[Found]) -> str:
    return yaml.safe_dump(document(rack, found), sort_keys=False, width=200)
