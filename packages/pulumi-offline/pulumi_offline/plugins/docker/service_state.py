"""The state of a service, from what the Engine says about it. Pure."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.docker.container_state import mount_state
from pulumi_offline.plugins.docker.durations import format_short_duration

Plain = dict[str, Any]


def read_service_state(document: Plain) -> Plain:
    spec = document["Spec"]
    return {
        "id": document["ID"],
        "name": spec["Name"],
        "labels": read_label_list(spec.get("Labels")),
        "taskSpec": read_task_state(spec["TaskTemplate"]),
        "mode": read_mode_state(spec.get("Mode", {})),
        "endpointSpec": read_endpoint_state(document),
    }


def read_label_list(document: dict[str, str] | None) -> list[Plain]:
    return [{"label": key, "value": value} for key, value in sorted((document or {}).items())]


def read_task_state(task: Plain) -> Plain:
    return {
        "containerSpec": read_container_spec_state(task["ContainerSpec"]),
        "resources": read_resources_state(task.get("Resources") or {}),
        "restartPolicy": restart_state(task.get("RestartPolicy")),
        "placement": read_placement_state(task.get("Placement") or {}),
        "forceUpdate": task.get("ForceUpdate", 0),
        "runtime": task.get("Runtime", ""),
        "networksAdvanceds": [read_network_state(item) for item in task.get("Networks") or []],
        "logDriver": read_driver_state(task.get("LogDriver")),
    }


def read_container_spec_state(spec: Plain) -> Plain:
    pairs = [text.partition("=") for text in spec.get("Env") or [] if text]
    return {
        "image": spec["Image"],
        "labels": read_label_list(spec.get("Labels")),
        "commands": spec.get("Command") or [],
        "args": spec.get("Args") or [],
        "env": {key: value for key, _, value in pairs},
        "dir": spec.get("Dir", ""),
        "user": spec.get("User", ""),
        "mounts": [mount_state(item) for item in spec.get("Mounts") or []],
        "stopGracePeriod": read_duration_state(spec.get("StopGracePeriod")),
        "healthcheck": read_healthcheck_state(spec.get("Healthcheck")),
        "hosts": [read_host_state(item) for item in spec.get("Hosts") or []],
        "secrets": [
            read_stored_state(item, "secret", "Secret") for item in spec.get("Secrets") or []
        ],
        "configs": [
            read_stored_state(item, "config", "Config") for item in spec.get("Configs") or []
        ],
        "isolation": spec.get("Isolation") or None,
        "init": spec.get("Init"),
    }


def read_duration_state(duration_ns: int | None) -> str | None:
    return None if duration_ns is None else format_short_duration(duration_ns)


def read_healthcheck_state(document: Plain | None) -> Plain | None:
    if document is None:
        return None
    return {
        "tests": document.get("Test") or [],
        "interval": format_short_duration(document.get("Interval", 0)),
        "timeout": format_short_duration(document.get("Timeout", 0)),
        "startPeriod": format_short_duration(document.get("StartPeriod", 0)),
        "retries": document.get("Retries", 0),
    }


def read_host_state(entry: str) -> Plain:
    address, _, name = entry.partition(" ")
    return {"ip": address, "host": name}


def read_stored_state(document: Plain, kind: str, prefix: str) -> Plain:
    file = document["File"]
    return {
        f"{kind}Id": document[f"{prefix}ID"],
        f"{kind}Name": document.get(f"{prefix}Name", ""),
        "fileName": file["Name"],
        "fileUid": file.get("UID", ""),
        "fileGid": file.get("GID", ""),
        "fileMode": file.get("Mode", 0),
    }


def read_resources_state(document: Plain) -> Plain:
    result: Plain = {}
    if limits := document.get("Limits"):
        result["limits"] = read_shares_state(limits)
    if reserved := document.get("Reservations"):
        generic = read_generic_state(reserved.get("GenericResources") or [])
        result["reservation"] = {**read_shares_state(reserved), **generic}
    return result


def read_shares_state(document: Plain) -> Plain:
    return {"nanoCpus": document.get("NanoCPUs", 0), "memoryBytes": document.get("MemoryBytes", 0)}


def read_generic_state(document: list[Plain]) -> Plain:
    if not document:
        return {}
    named = [item["NamedResourceSpec"] for item in document if item.get("NamedResourceSpec")]
    counted = [
        item["DiscreteResourceSpec"] for item in document if item.get("DiscreteResourceSpec")
    ]
    return {
        "genericResources": {
            "namedResourcesSpecs": [f"{item['Kind']}={item['Value']}" for item in named],
            "discreteResourcesSpecs": [f"{item['Kind']}={item['Value']}" for item in counted],
        }
    }


def restart_state(document: Plain | None) -> Plain | None:
    if document is None:
        return None
    return {
        "condition": document.get("Condition") or None,
        "delay": read_duration_state(document.get("Delay")),
        "maxAttempts": document.get("MaxAttempts"),
        "window": read_duration_state(document.get("Window")),
    }


def read_placement_state(document: Plain) -> Plain:
    return {
        "constraints": document.get("Constraints") or [],
        "maxReplicas": document.get("MaxReplicas", 0),
        "platforms": [
            {"architecture": item.get("Architecture", ""), "os": item.get("OS", "")}
            for item in document.get("Platforms") or []
        ],
    }


def read_network_state(document: Plain) -> Plain:
    options = document.get("DriverOpts") or {}
    return {
        "id": document["Target"],
        "name": "",
        "aliases": document.get("Aliases") or [],
        "driverOpts": [f"{key}={value}" for key, value in options.items()],
    }


def read_driver_state(document: Plain | None) -> Plain | None:
    if document is None:
        return None
    return {"name": document["Name"], "options": document.get("Options") or {}}


def read_mode_state(document: Plain) -> Plain:
    result: Plain = {"global": "Global" in document}
    if replicated := document.get("Replicated"):
        result["replicated"] = {"replicas": replicated["Replicas"]}
    return result


def read_endpoint_state(document: Plain) -> Plain:
    """From the endpoint as it is; a service that the Swarm has not taken up yet has only a plan."""
    endpoint = document.get("Endpoint") or {}
    planned = document["Spec"].get("EndpointSpec") or {}
    actual = (endpoint.get("Spec") or {}).get("Mode")
    ports = endpoint.get("Ports") if actual else planned.get("Ports")
    return {
        "mode": actual or planned.get("Mode", ""),
        "ports": [
            {
                "name": port.get("Name", ""),
                "protocol": port.get("Protocol", ""),
                "targetPort": port.get("TargetPort", 0),
                "publishedPort": port.get("PublishedPort", 0),
                "publishMode": port.get("PublishMode", ""),
            }
            for port in ports or []
        ],
    }
