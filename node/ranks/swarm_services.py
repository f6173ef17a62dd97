"""Ranks as a Swarm's manager knows them: one service of one task each, and its files.

A worker knows of none, which is an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from node.host import docker_query
from node.host.docker_api import send
from node.host.labels import SERVICE
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.ranks.rank import SWARM_SERVICE, Rank, RankLabels, State, parse_labels

FileKind = Literal["secret", "config"]
FILE_PATHS: dict[FileKind, str] = {"secret": "/secrets", "config": "/configs"}
ENDED = ("complete", "failed", "rejected", "shutdown", "orphaned", "remove")
REFUSED = ("rejected", "orphaned")
NO_ROOM = "no suitable node"
"""swarmkit, manager/scheduler: a task that waits for a node with what it asks for."""

Task = Mapping[str, object]


@dataclass(frozen=True)
class SwarmFile:
    """A secret or a config of a rank in the Swarm."""

    kind: FileKind
    labels: RankLabels
    name: str
    id: str

    @property
    def service(self) -> str:
        return self.labels.service

    @property
    def token(self) -> str:
        return self.labels.token


def list_services(system: System) -> list[Rank]:
    """One for each rank, with the state of its newest task. Raises DockerUnknown."""
    filters = json.dumps({"label": [SERVICE]})
    services = map(as_mapping, as_list(docker_query.query(system, "/services", filters=filters)))
    specs = {str(service.get("ID")): as_mapping(service.get("Spec")) for service in services}
    tasks = find_newest_tasks(_list_tasks(system, list(specs)))
    ranks = (_parse_service(id, spec, tasks.get(id, {})) for id, spec in specs.items())
    return [rank for rank in ranks if rank]


def list_files(system: System) -> list[SwarmFile]:
    """Raises DockerUnknown."""
    files = []
    for kind, path in FILE_PATHS.items():
        for entry in map(as_mapping, as_list(docker_query.query(system, path))):
            spec = as_mapping(entry.get("Spec"))
            if labels := parse_labels(as_mapping(spec.get("Labels"))):
                files.append(SwarmFile(kind, labels, str(spec.get("Name")), str(entry.get("ID"))))
    return files


def scale_service(system: System, service_id: str, replicas: int) -> None:
    """Set the number of tasks, everything else as it is. Nothing where it is so already. Raises
    StepError, as where somebody else changes the service at the same time."""
    service = as_mapping(docker_query.query(system, f"/services/{service_id}"))
    spec, version = as_mapping(service.get("Spec")), as_mapping(service.get("Version"))
    replicated = _get_replicated(service)
    if replicated.get("Replicas") == replicas:
        return
    mode = {"Replicated": {**replicated, "Replicas": replicas}}
    path = f"/services/{service_id}/update?version={version.get('Index')}"
    send(system, "POST", path, {**spec, "Mode": mode})


def list_scaled(system: System) -> set[str]:
    """The ids of the services that have a task, or are to have one. Raises DockerUnknown."""
    filters = json.dumps({"label": [SERVICE]})
    services = map(as_mapping, as_list(docker_query.query(system, "/services", filters=filters)))
    replicas = {str(entry.get("ID")): _get_replicated(entry).get("Replicas") for entry in services}
    scaled = {service for service, number in replicas.items() if number != 0}
    for task in _list_tasks(system, list(replicas)):
        if str(as_mapping(task.get("Status")).get("State", "")) not in ENDED:
            scaled.add(str(task.get("ServiceID")))
    return scaled


def _get_replicated(service: Mapping[str, object]) -> dict[str, object]:
    return as_mapping(as_mapping(as_mapping(service.get("Spec")).get("Mode")).get("Replicated"))


def remove_service(system: System, rank: Rank) -> None:
    """Raises StepError."""
    docker_query.end_object(system, "DELETE", f"/services/{rank.id}", {})


def remove_file(system: System, file: SwarmFile) -> None:
    """Raises StepError."""
    docker_query.end_object(system, "DELETE", f"{FILE_PATHS[file.kind]}/{file.id}", {})


def find_newest_tasks(tasks: Sequence[Task]) -> dict[str, Task]:
    """By service: the task that was made last. Pure."""
    by_age = sorted(tasks, key=lambda task: str(task.get("CreatedAt", "")))
    return {str(task.get("ServiceID")): task for task in by_age}


def _list_tasks(system: System, services: Sequence[str]) -> list[Task]:
    if not services:
        return []
    filters = json.dumps({"service": list(services)})
    tasks = as_list(docker_query.query(system, "/tasks", filters=filters))
    return [as_mapping(task) for task in tasks]


def _parse_service(service_id: str, spec: Mapping[str, object], task: Task) -> Rank | None:
    labels = parse_labels(as_mapping(spec.get("Labels")))
    if labels is None:
        return None
    status = as_mapping(task.get("Status"))
    state = str(status.get("State", ""))
    return Rank(
        kind=SWARM_SERVICE,
        runtime="swarm",
        labels=labels,
        name=str(spec.get("Name")),
        id=service_id,
        state=parse_state(state),
        message=str(status.get("Err") or status.get("Message") or state or "no task yet"),
        placement_error=find_placement_error(task),
    )


def find_placement_error(task: Task) -> str | None:
    """Why Swarm does not start a task, in Swarm's words; None where it has, or may yet. Pure."""
    status = as_mapping(task.get("Status"))
    error = str(status.get("Err") or "")
    if status.get("State") in REFUSED:
        return error or f"the task is {status['State']}"
    return error if NO_ROOM in error else None


def parse_state(state: str) -> State:
    """
    >>> parse_state("preparing"), parse_state("running"), parse_state("failed")
    ('created', 'running', 'ended')
    """
    if state == "running":
        return "running"
    return "ended" if state in ENDED else "created"
