"""Fact `services`: the Swarm services of ours, seen from a manager; empty on other nodes.

[{"id": "…", "name": "qwen", "image": "…@sha256:…", "running": 2, "desired": 2,
  "labels": {"sparkform.service": "qwen"}}]
"""

from __future__ import annotations

from typing import TypedDict

from node.facts.containers import select_our_labels
from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.swarm import is_manager
from node.facts.values import parse_number, to_mapping, to_text


class ServiceFact(TypedDict):
    id: str | None
    name: str | None
    image: str | None
    running: int | None
    desired: int | None
    labels: dict[str, str]


def read(reader: FactReader, request: FactRequest) -> list[ServiceFact]:
    if not is_manager(reader.query_docker("/info")):
        return []
    return parse(services=reader.query_docker("/services?status=true"))


def parse(services: object) -> list[ServiceFact]:
    if not isinstance(services, list):
        raise UnreadableFact("docker: no list of services in the engine's answer")
    entries = [_parse_service(to_mapping(item)) for item in services]
    return [service for service in entries if service["labels"]]


def _parse_service(item: dict[str, object]) -> ServiceFact:
    spec, status = to_mapping(item.get("Spec")), to_mapping(item.get("ServiceStatus"))
    container = to_mapping(to_mapping(spec.get("TaskTemplate")).get("ContainerSpec"))
    return {
        "id": to_text(item.get("ID")),
        "name": to_text(spec.get("Name")),
        "image": to_text(container.get("Image")),
        "running": parse_number(status.get("RunningTasks")),
        "desired": parse_number(status.get("DesiredTasks")),
        "labels": select_our_labels(spec.get("Labels")),
    }
