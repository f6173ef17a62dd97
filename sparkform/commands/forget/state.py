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
class Forgotten:
    """The state to import, and the URNs that are no longer in it."""

    document: Json
    removed: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name_of(urn) for urn in self.removed)


def name_of(urn: str) -> str:
    """The last part of a URN.

    >>> name_of("urn:pulumi:demo::spark::sparkform:index:SparkNode::spark-1")
    'spark-1'
    """
    return urn.rpartition("::")[2]


def nodes_in(document: Json) -> dict[str, Mapping[str, Any]]:
    """Every node of a `pulumi stack export`, with what was declared of it."""
    found = (one for one in resources(document) if one["type"] == NODE)
    return {name_of(one["urn"]): one.get("inputs") or {} for one in found}


def resources(document: Json) -> list[Json]:
    return list((document.get("deployment") or {}).get("resources") or [])


def without_node(document: Json, node: str) -> Forgotten:
    """The exported state without the resources of a node. `document` stays as it is."""
    every = resources(document)
    gone = _belonging(every, node)
    kept = [_without_references(one, gone) for one in every if one["urn"] not in gone]
    deployment = {**document["deployment"], "resources": kept}
    pending = deployment.get("pending_operations")
    if pending:
        left = [one for one in pending if one["resource"]["urn"] not in gone]
        deployment["pending_operations"] = left
    order = tuple(dict.fromkeys(one["urn"] for one in every if one["urn"] in gone))
    return Forgotten({**document, "deployment": deployment}, order)


def _belonging(every: list[Json], node: str) -> frozenset[str]:
    """The node's component and whatever hangs on it, until nothing more is found."""
    gone = {one["urn"] for one in every if _is_of(one, node)}
    while more := {one["urn"] for one in every if _hangs_on(one, gone)} - gone:
        gone |= more
    return frozenset(gone | _left_empty(every, gone))


def _is_of(resource: Json, node: str) -> bool:
    if resource["type"] == NODE:
        return name_of(resource["urn"]) == node
    is_member = resource["type"] == MEMBER
    return is_member and (resource.get("inputs") or {}).get("node") == node


def _hangs_on(resource: Json, gone: set[str]) -> bool:
    return resource.get("parent") in gone or resource.get("deletedWith") in gone


def _left_empty(every: list[Json], gone: set[str]) -> set[str]:
    """Links of which no end is left."""
    parents = {one.get("parent") for one in every if one["urn"] not in gone}
    links = {one["urn"] for one in every if one["type"] == LINK}
    return {urn for urn in links if urn not in parents}


def _without_references(resource: Json, gone: frozenset[str]) -> Json:
    cleaned = {**resource}
    for key in REFERENCES:
        if key in cleaned:
            cleaned[key] = [urn for urn in cleaned[key] if urn not in gone]
    by_property = cleaned.get("propertyDependencies")
    if by_property:
        cleaned["propertyDependencies"] = {
            name: [urn for urn in urns or [] if urn not in gone]
            for name, urns in by_property.items()
        }
    return cleaned
