"""The state of a service, from what the Engine says about it. Pure."""

from __future__ import annotations

from pulumi_offline.plugins.docker.container_state import build_mount_state
from pulumi_offline.plugins.docker.documents import (
    Document,
    Json,
    get_document,
    get_integer,
    get_text,
    list_documents,
    list_texts,
)
from pulumi_offline.plugins.docker.durations import format_short_duration


def build_service_state(inspected: Document) -> Document:
    spec = get_document(inspected, "Spec")
    return {
        "id": inspected["ID"],
        "name": spec["Name"],
        "labels": build_label_state(spec),
        "taskSpec": build_task_state(get_document(spec, "TaskTemplate")),
        "mode": build_mode_state(get_document(spec, "Mode")),
    }


def build_label_state(spec: Document) -> list[Json]:
    labels = get_document(spec, "Labels")
    return [{"label": name, "value": value} for name, value in sorted(labels.items())]


def build_task_state(task: Document) -> Document:
    networks = list_documents(task, "Networks")
    placement = get_document(task, "Placement")
    return {
        "containerSpec": build_spec_state(get_document(task, "ContainerSpec")),
        "resources": build_resources_state(get_document(task, "Resources")),
        "restartPolicy": build_restart_state(get_document(task, "RestartPolicy")),
        "placement": {"constraints": placement.get("Constraints") or []},
        "networksAdvanceds": [{"id": network["Target"]} for network in networks],
        "logDriver": build_driver_state(get_document(task, "LogDriver")),
    }


def build_spec_state(spec: Document) -> Document:
    variables = [text.partition("=") for text in list_texts(spec, "Env") if text]
    return {
        "image": spec["Image"],
        "labels": build_label_state(spec),
        "commands": spec.get("Command") or [],
        "args": spec.get("Args") or [],
        "env": {name: value for name, _, value in variables},
        "user": spec.get("User", ""),
        "mounts": [build_mount_state(item) for item in list_documents(spec, "Mounts")],
        "stopGracePeriod": build_duration_state(spec, "StopGracePeriod"),
        "secrets": build_stored_state(spec, "secret", "Secret"),
        "configs": build_stored_state(spec, "config", "Config"),
        "isolation": spec.get("Isolation") or None,
    }


def build_duration_state(document: Document, key: str) -> str | None:
    if document.get(key) is None:
        return None
    return format_short_duration(get_integer(document, key))


def build_stored_state(spec: Document, kind: str, prefix: str) -> list[Json]:
    return [
        {
            f"{kind}Id": item[f"{prefix}ID"],
            f"{kind}Name": item.get(f"{prefix}Name", ""),
            "fileName": get_document(item, "File")["Name"],
            "fileUid": get_text(get_document(item, "File"), "UID"),
            "fileGid": get_text(get_document(item, "File"), "GID"),
            "fileMode": get_integer(get_document(item, "File"), "Mode"),
        }
        for item in list_documents(spec, f"{prefix}s")
    ]


def build_resources_state(resources: Document) -> Document:
    reserved = list_documents(get_document(resources, "Reservations"), "GenericResources")
    discrete = [get_document(item, "DiscreteResourceSpec") for item in reserved]
    texts: list[Json] = [f"{item['Kind']}={item['Value']}" for item in discrete if item]
    if not texts:
        return {}
    return {"reservation": {"genericResources": {"discreteResourcesSpecs": texts}}}


def build_restart_state(policy: Document) -> Document | None:
    if not policy:
        return None
    return {
        "condition": policy.get("Condition") or None,
        "delay": build_duration_state(policy, "Delay"),
        "window": build_duration_state(policy, "Window"),
    }


def build_driver_state(driver: Document) -> Document | None:
    return {"name": driver["Name"], "options": driver.get("Options") or {}} if driver else None


def build_mode_state(mode: Document) -> Document:
    replicated = get_document(mode, "Replicated")
    return {"replicated": {"replicas": replicated["Replicas"]}} if replicated else {}
