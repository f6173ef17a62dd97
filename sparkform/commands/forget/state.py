"""A stack's state without one node: which resources go, and which references to them. Pure.

`pulumi state delete` is no help: it refuses what others depend on, and with --target-dependents it
takes along other nodes' checks, which depend on this node's. So the exported state is edited: what
belongs to the node goes, by the ties that Pulumi itself keeps (parent, deletedWith), and the others
lose their references to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

NODE = "sparkform:index:SparkNode"
LINK = "sparkform:index:RoceLink"
MEMBER = "sparkform:index:SwarmMembership"


class StateResource(TypedDict, total=False):
    """A resource of Pulumi's state, as far as it is read here. `urn` and `type` are always there.

    The other keys hold URNs, but for `inputs`: what was declared.
    """

    urn: str
    type: str
    inputs: Mapping[str, object]
    parent: str
    deletedWith: str
    dependencies: list[str]
    replaceWith: list[str]
    propertyDependencies: dict[str, list[str] | None]


class PendingOperation(TypedDict):
    resource: StateResource


class StateDeployment(TypedDict, total=False):
    resources: list[StateResource] | None
    pending_operations: list[PendingOperation] | None


class StateDocument(TypedDict, total=False):
    """What `pulumi stack export` prints."""

    deployment: StateDeployment


@dataclass(frozen=True)
class ForgottenNode:
    """The state to import, and the URNs that are no longer in it."""

    document: StateDocument
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


def find_nodes(document: StateDocument) -> dict[str, Mapping[str, object]]:
    """Every node of the state by name, with what was declared of it."""
    components = (item for item in list_resources(document) if item["type"] == NODE)
    return {parse_name(item["urn"]): item.get("inputs") or {} for item in components}


def list_resources(document: StateDocument) -> list[StateResource]:
    deployment = document.get("deployment") or {}
    return list(deployment.get("resources") or [])


def remove_node(document: StateDocument, node: str) -> ForgottenNode:
    """The exported state without the resources of a node. `document` stays as it is."""
    resources = list_resources(document)
    removed = _find_node_resources(resources, node)
    deployment: StateDeployment = {**(document.get("deployment") or {})}
    deployment["resources"] = [
        _remove_references(resource, removed)
        for resource in resources
        if resource["urn"] not in removed
    ]
    pending = deployment.get("pending_operations")
    if pending:
        deployment["pending_operations"] = [
            operation for operation in pending if operation["resource"]["urn"] not in removed
        ]
    order = dict.fromkeys(resource["urn"] for resource in resources if resource["urn"] in removed)
    return ForgottenNode({**document, "deployment": deployment}, tuple(order))


def _find_node_resources(resources: Sequence[StateResource], node: str) -> frozenset[str]:
    """The URNs of the node's component and of all that is attached to it, directly or not."""
    removed = {resource["urn"] for resource in resources if _is_node_resource(resource, node)}
    size = -1
    while len(removed) > size:
        size = len(removed)
        removed |= {resource["urn"] for resource in resources if _is_attached(resource, removed)}
    return frozenset(removed | _find_empty_links(resources, removed))


def _is_node_resource(resource: StateResource, node: str) -> bool:
    if resource["type"] == NODE:
        return parse_name(resource["urn"]) == node
    is_member = resource["type"] == MEMBER
    return is_member and (resource.get("inputs") or {}).get("node") == node


def _is_attached(resource: StateResource, removed: set[str]) -> bool:
    return resource.get("parent") in removed or resource.get("deletedWith") in removed


def _find_empty_links(resources: Sequence[StateResource], removed: set[str]) -> set[str]:
    """Links of which no end is left."""
    parents = {resource.get("parent") for resource in resources if resource["urn"] not in removed}
    links = {resource["urn"] for resource in resources if resource["type"] == LINK}
    return {urn for urn in links if urn not in parents}


def _remove_references(resource: StateResource, removed: frozenset[str]) -> StateResource:
    cleaned = resource.copy()
    if "dependencies" in cleaned:
        cleaned["dependencies"] = _exclude(cleaned["dependencies"], removed)
    if "replaceWith" in cleaned:
        cleaned["replaceWith"] = _exclude(cleaned["replaceWith"], removed)
    if cleaned.get("propertyDependencies"):
        cleaned["propertyDependencies"] = {
            name: _exclude(urns or [], removed)
            for name, urns in cleaned["propertyDependencies"].items()
        }
    return cleaned


def _exclude(urns: Sequence[str], removed: frozenset[str]) -> list[str]:
    return [urn for urn in urns if urn not in removed]
