"""Fact `containers`: the containers of ours on this node, running or not, by their labels.

    [{"id": "…", "name": "qwen-1", "image": "…", "state": "running",
      "labels": {"sparkform.service": "qwen", "sparkform.token": "…-3"}}]

A container is ours when a label starts with `sparkform.`; other labels are not passed on.
"""

from __future__ import annotations

from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import to_list, to_mapping, to_text
from node.host.labels import PREFIX


class ContainerFact(TypedDict):
    id: str | None
    name: str | None
    image: str | None
    state: str | None
    labels: dict[str, str]


def read(reader: FactReader, request: FactRequest) -> list[ContainerFact]:
    return parse(containers=reader.query_docker("/containers/json?all=1"))


def parse(containers: object) -> list[ContainerFact]:
    if not isinstance(containers, list):
        raise UnreadableFact("docker: no list of containers in the engine's answer")
    entries = [_parse_container(to_mapping(item)) for item in containers]
    return [container for container in entries if container["labels"]]


def select_our_labels(value: object) -> dict[str, str]:
    return {
        key: item
        for key, item in to_mapping(value).items()
        if key.startswith(PREFIX) and isinstance(item, str)
    }


def _parse_container(item: dict[str, object]) -> ContainerFact:
    names = to_list(item.get("Names"))
    name = to_text(names[0]) if names else None
    return {
        "id": to_text(item.get("Id")),
        "name": name.lstrip("/") if name else None,
        "image": to_text(item.get("Image")),
        "state": to_text(item.get("State")),
        "labels": select_our_labels(item.get("Labels")),
    }
