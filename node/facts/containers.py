"""Fact `containers`: the containers of ours on this node, running or not, by their labels.

    [{"id": "…", "name": "qwen-1", "image": "…", "state": "running",
      "labels": {"sparkform.service": "qwen", "sparkform.token": "…-3"}}]

A container is ours when a label starts with `sparkform.`; other labels are not passed on.
"""

from __future__ import annotations

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import items, mapping, text_or_none
from node.host.labels import PREFIX


def read(look: Look, request: Request) -> object:
    return parse(containers=look.engine("/containers/json?all=1"))


def parse(containers: object) -> object:
    if not isinstance(containers, list):
        raise Unreadable("docker: no list of containers in the engine's answer")
    found = [_container(mapping(item)) for item in containers]
    return [container for container in found if container["labels"]]


def our_labels(value: object) -> dict[str, str]:
    return {
        key: item
        for key, item in mapping(value).items()
        if key.startswith(PREFIX) and isinstance(item, str)
    }


def _container(item: dict[str, object]) -> dict[str, object]:
    names = items(item.get("Names"))
    name = text_or_none(names[0]) if names else None
    return {
        "id": text_or_none(item.get("Id")),
        "name": name.lstrip("/") if name else None,
        "image": text_or_none(item.get("Image")),
        "state": text_or_none(item.get("State")),
        "labels": our_labels(item.get("Labels")),
    }
