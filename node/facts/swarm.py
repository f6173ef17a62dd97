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

from typing import TypedDict

from node.docker.swarm_certificate import CERTIFICATE, parse_cluster_id
from node.facts.docker import ResourceFact, parse_generic_resources
from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import to_list, to_mapping, to_text


class SwarmNodeFact(TypedDict):
    id: str | None
    hostname: str | None
    role: str | None
    availability: str | None
    state: str | None
    address: str | None
    leader: bool
    labels: dict[str, str]
    generic_resources: list[ResourceFact]


class SwarmFact(TypedDict):
    state: str
    node_id: str | None
    cluster_id: str | None
    manager: bool
    address: str | None
    managers: list[str]
    error: str | None
    nodes: list[SwarmNodeFact] | None


def read(reader: FactReader, request: FactRequest) -> SwarmFact:
    info = reader.query_docker("/info")
    root = to_text(to_mapping(info).get("DockerRootDir")) or "/var/lib/docker"
    return parse(
        info=info,
        nodes=reader.query_docker("/nodes") if is_manager(info) else None,
        certificate=reader.read_file_or_none(f"{root}/{CERTIFICATE}"),
    )


def is_manager(info: object) -> bool:
    return to_mapping(to_mapping(info).get("Swarm")).get("ControlAvailable") is True


def parse(info: object, nodes: object, certificate: str | None) -> SwarmFact:
    swarm = to_mapping(to_mapping(info).get("Swarm"))
    state = to_text(swarm.get("LocalNodeState"))
    if state is None:
        raise UnreadableFact("docker: no Swarm state in the engine's answer")
    return {
        "state": state,
        "node_id": to_text(swarm.get("NodeID")),
        "cluster_id": to_text(to_mapping(swarm.get("Cluster")).get("ID"))
        or (parse_cluster_id(certificate) if state != "inactive" else None),
        "manager": is_manager(info),
        "address": to_text(swarm.get("NodeAddr")),
        "managers": _parse_addresses(swarm.get("RemoteManagers")),
        "error": to_text(swarm.get("Error")),
        "nodes": None
        if nodes is None
        else [_parse_node(to_mapping(node)) for node in to_list(nodes)],
    }


def _parse_addresses(managers: object) -> list[str]:
    addresses = (to_text(to_mapping(manager).get("Addr")) for manager in to_list(managers))
    return sorted(address for address in addresses if address)


def _parse_node(node: dict[str, object]) -> SwarmNodeFact:
    spec, status = to_mapping(node.get("Spec")), to_mapping(node.get("Status"))
    description = to_mapping(node.get("Description"))
    resources = to_mapping(description.get("Resources"))
    return {
        "id": to_text(node.get("ID")),
        "hostname": to_text(description.get("Hostname")),
        "role": to_text(spec.get("Role")),
        "availability": to_text(spec.get("Availability")),
        "state": to_text(status.get("State")),
        "address": to_text(status.get("Addr")),
        "leader": to_mapping(node.get("ManagerStatus")).get("Leader") is True,
        "labels": _parse_labels(spec.get("Labels")),
        "generic_resources": parse_generic_resources(resources.get("GenericResources")),
    }


def _parse_labels(value: object) -> dict[str, str]:
    return {key: item for key, item in to_mapping(value).items() if isinstance(item, str)}
