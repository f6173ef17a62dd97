"""Fact `services`: the Swarm services of ours, seen from a manager; empty on other nodes.

[{"id": "…", "name": "qwen", "image": "…@sha256:…", "running": 2, "desired": 2,
  "labels": {"sparkform.service": "qwen"}}]
"""

from __future__ import annotations

from node.facts.containers import our_labels
from node.facts.reading import Look, Request, Unreadable
from node.facts.swarm import is_manager
from node.facts.values import mapping, number, text_or_none


def read(look: Look, request: Request) -> object:
    if not is_manager(look.engine("/info")):
        return []
    return parse(services=look.engine("/services?status=true"))


def parse(services: object) -> object:
    if not isinstance(services, list):
        raise Unreadable("docker: no list of services in the engine's answer")
    found = [_service(mapping(item)) for item in services]
    return [service for service in found if service["labels"]]


def _service(item: dict[str, object]) -> dict[str, object]:
    spec, status = mapping(item.get("Spec")), mapping(item.get("ServiceStatus"))
    container = mapping(mapping(spec.get("TaskTemplate")).get("ContainerSpec"))
    return {
        "id": text_or_none(item.get("ID")),
        "name": text_or_none(spec.get("Name")),
        "image": text_or_none(container.get("Image")),
        "running": number(status.get("RunningTasks")),
        "desired": number(status.get("DesiredTasks")),
        "labels": our_labels(spec.get("Labels")),
    }
