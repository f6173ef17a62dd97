"""Fact `swarm`: this node's place in a Swarm, and on a manager what it knows of all nodes.

    {"state": "active", "node_id": "…", "cluster_id": "…", "manager": true,
     "address": "10.0.0.11", "managers": ["10.0.0.11:2377"], "error": null,
     "nodes": [{"id": "…", "hostname": "spark-1", "role": "manager", "availability": "active",
                "state": "ready", "address": "10.0.0.11", "leader": true, "labels": {},
                "generic_resources": [{"kind": "NVIDIA_GPU", "value": "GPU-…"}]}]}

`state` is Docker's own word: inactive, pending, active, error or locked. `nodes` is null on a node
that is no manager. Docker tells the cluster's id only to managers; on a worker it is taken from
the node's certificate, whose organisation it is (docs.docker.com, "How PKI works in swarm mode").
"""

from __future__ import annotations

from node.docker.swarm_certificate import CERTIFICATE, cluster_of
from node.facts.docker import generic_resources
from node.facts.reading import Look, Request, Unreadable
from node.facts.values import items, mapping, text_or_none


def read(look: Look, request: Request) -> object:
    info = look.engine("/info")
    root = text_or_none(mapping(info).get("DockerRootDir")) or "/var/lib/docker"
    return parse(
        info=info,
        nodes=look.engine("/nodes") if is_manager(info) else None,
        certificate=look.file_or_none(f"{root}/{CERTIFICATE}"),
    )


def is_manager(info: object) -> bool:
    return mapping(mapping(info).get("Swarm")).get("ControlAvailable") is True


def parse(info: object, nodes: object, certificate: str | None) -> object:
    swarm = mapping(mapping(info).get("Swarm"))
    state = text_or_none(swarm.get("LocalNodeState"))
    if state is None:
        raise Unreadable("docker: no Swarm state in the engine's answer")
    return {
        "state": state,
        "node_id": text_or_none(swarm.get("NodeID")),
        "cluster_id": text_or_none(mapping(swarm.get("Cluster")).get("ID"))
        or (cluster_of(certificate) if state != "inactive" else None),
        "manager": is_manager(info),
        "address": text_or_none(swarm.get("NodeAddr")),
        "managers": _addresses(swarm.get("RemoteManagers")),
        "error": text_or_none(swarm.get("Error")),
        "nodes": None if nodes is None else [_node(mapping(node)) for node in items(nodes)],
    }


def _addresses(managers: object) -> list[str]:
    found = (text_or_none(mapping(manager).get("Addr")) for manager in items(managers))
    return sorted(address for address in found if address)


def _node(node: dict[str, object]) -> dict[str, object]:
    spec, status = mapping(node.get("Spec")), mapping(node.get("Status"))
    description = mapping(node.get("Description"))
    resources = mapping(description.get("Resources"))
    return {
        "id": text_or_none(node.get("ID")),
        "hostname": text_or_none(description.get("Hostname")),
        "role": text_or_none(spec.get("Role")),
        "availability": text_or_none(spec.get("Availability")),
        "state": text_or_none(status.get("State")),
        "address": text_or_none(status.get("Addr")),
        "leader": mapping(node.get("ManagerStatus")).get("Leader") is True,
        "labels": _labels(spec.get("Labels")),
        "generic_resources": generic_resources(resources.get("GenericResources")),
    }


def _labels(value: object) -> dict[str, str]:
    return {key: item for key, item in mapping(value).items() if isinstance(item, str)}
