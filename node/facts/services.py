"""Fact `services`: the Swarm services of ours, seen from a manager; empty on other nodes.

[{"id": "…", "name": "qwen", "image": "…@sha256:…", "running": 2, "desired": 2,
  "labels": {"sparkform.service": "qwen"}}]
"""

from __future__ import annotations

from node.facts.containers import select_our_labels
from node.facts.reading import FactReader, Request, UnreadableFact
from node.facts.swarm import is_manager
from node.facts.values import parse_number, to_mapping, to_text


def read(reader: FactReader, request: Request) -> object:
    if not is_manager(reader.engine("/info")):
        return []
    return parse(services=reader.engine("/services?status=true"))


def parse(services: object) -> object:
    if not isinstance(services, list):
        raise UnreadableFact("docker: no list of services in the engine's answer")
    entries = [_parse_service(to_mapping(item)) for item in services]
    return [service for service in entries if service["labels"]]


def _parse_service(item: dict[str, object]) -> dict[str, object]:
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
