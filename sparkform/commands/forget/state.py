"""A stack's state without one node: what goes, and what of the rest no longer points to it. Pure.

`pulumi state delete` is no help: it refuses what others depend on, and with --target-dependents it
takes along other nodes' checks, which depend on this node's. So the exported state is edited: what
belongs to the node goes, by the ties that Pulumi itself keeps (parent, deletedWith), and the others
lose their references to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NODE = "sparkform:index:SparkNode"
LINK = "sparkform:index:RoceLink"
MEMBER = "sparkform:index:SwarmMembership"
REFERENCES = ("dependencies", "replaceWith")
Json = dict[str, Any]


@dataclass(frozen=True)
class ForgottenNode:
    """The state to import, and the URNs that are no longer in it."""

    document: Json
    removed: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parse_name(urn) for urn in self.removed)


def parse_name(urn: str) -> str:
    """The last part of a URN.

    >>> parse_name("urn:pulumi:demo::spark::sparkform:index:SparkNode::spark-1")
    'spark-1'
    """
    return urn.rpartition("::")[2]


def find_nodes(document: Json) -> dict[str, Mapping[str, Any]]:
    """Every node of a `pulumi stack export`, with what was declared of it."""
    components = (resource for resource in resources(document) if resource["type"] == NODE)
    return {parse_name(resource["urn"]): resource.get("inputs") or {} for resource in components}


def resources(document: Json) -> list[Json]:
    return list((document.get("deployment") or {}).get("resources") or [])


def remove_node(document: Json, node: str) -> ForgottenNode:
    """The exported state without the resources of a node. `document` stays as it is."""
    all_resources = resources(document)
    removed = _find_node_resources(all_resources, node)
    remaining = [
        _remove_references(entry, removed) for entry in all_resources if entry["urn"] not in removed
    ]
    deployment = {**document["deployment"], "resources": remaining}
    pending = deployment.get("pending_operations")
    if pending:
        remaining_operations = [
            entry for entry in pending if entry["resource"]["urn"] not in removed
        ]
        deployment["pending_operations"] = remaining_operations
    order = tuple(dict.fromkeys(entry["urn"] for entry in all_resources if entry["urn"] in removed))
    return ForgottenNode({**document, "deployment": deployment}, order)


def _find_node_resources(all_resources: list[Json], node: str) -> frozenset[str]:
    """The node's component and whatever hangs on it, until nothing more is found."""
    removed = {resource["urn"] for resource in all_resources if _is_node_resource(resource, node)}
    while (
        more := {resource["urn"] for resource in all_resources if _is_attached(resource, removed)}
        - removed
    ):
        removed |= more
    return frozenset(removed | _find_empty_links(all_resources, removed))


def _is_node_resource(resource: Json, node: str) -> bool:
    if resource["type"] == NODE:
        return parse_name(resource["urn"]) == node
    is_member = resource["type"] == MEMBER
    return is_member and (resource.get("inputs") or {}).get("node") == node


def _is_attached(resource: Json, removed: set[str]) -> bool:
    return resource.get("parent") in removed or resource.get("deletedWith") in removed


def _find_empty_links(all_resources: list[Json], removed: set[str]) -> set[str]:
    """Links of which no end is left."""
    parents = {
        resource.get("parent") for resource in all_resources if resource["urn"] not in removed
    }
    links = {resource["urn"] for resource in all_resources if resource["type"] == LINK}
    return {urn for urn in links if urn not in parents}


def _remove_references(resource: Json, removed: frozenset[str]) -> Json:
    cleaned = {**resource}
    for key in REFERENCES:
        if key in cleaned:
            cleaned[key] = [urn for urn in cleaned[key] if urn not in removed]
    by_property = cleaned.get("propertyDependencies")
    if by_property:
        cleaned["propertyDependencies"] = {
            name: [urn for urn in urns or [] if urn not in removed]
            for name, urns in by_property.items()
        }
    return cleaned
