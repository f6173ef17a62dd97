"""The state of a service, from what the Engine says about it. Pure."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.docker.container_state import mount_state
from pulumi_offline.plugins.docker.durations import short_text

Plain = dict[str, Any]


def service_state(found: Plain) -> Plain:
    spec = found["Spec"]
    return {
        "id": found["ID"],
        "name": spec["Name"],
        "labels": label_list(spec.get("Labels")),
        "taskSpec": task_state(spec["TaskTemplate"]),
        "mode": mode_state(spec.get("Mode", {})),
        "endpointSpec": endpoint_state(found),
    }


def label_list(found: dict[str, str] | None) -> list[Plain]:
    return [{"label": key, "value": value} for key, value in sorted((found or {}).items())]


def task_state(task: Plain) -> Plain:
    return {
        "containerSpec": container_spec_state(task["ContainerSpec"]),
        "resources": resources_state(task.get("Resources") or {}),
        "restartPolicy": restart_state(task.get("RestartPolicy")),
        "placement": placement_state(task.get("Placement") or {}),
        "forceUpdate": task.get("ForceUpdate", 0),
        "runtime": task.get("Runtime", ""),
        "networksAdvanceds": [network_state(item) for item in task.get("Networks") or []],
        "logDriver": driver_state(task.get("LogDriver")),
    }


def container_spec_state(spec: Plain) -> Plain:
    pairs = [text.partition("=") for text in spec.get("Env") or [] if text]
    return {
        "image": spec["Image"],
        "labels": label_list(spec.get("Labels")),
        "commands": spec.get("Command") or [],
        "args": spec.get("Args") or [],
        "env": {key: value for key, _, value in pairs},
        "dir": spec.get("Dir", ""),
        "user": spec.get("User", ""),
        "mounts": [mount_state(item) for item in spec.get("Mounts") or []],
        "stopGracePeriod": duration_state(spec.get("StopGracePeriod")),
        "healthcheck": healthcheck_state(spec.get("Healthcheck")),
        "hosts": [host_state(item) for item in spec.get("Hosts") or []],
        "secrets": [stored_state(item, "secret", "Secret") for item in spec.get("Secrets") or []],
        "configs": [stored_state(item, "config", "Config") for item in spec.get("Configs") or []],
        "isolation": spec.get("Isolation") or None,
        "init": spec.get("Init"),
    }


def duration_state(duration_ns: int | None) -> str | None:
    return None if duration_ns is None else short_text(duration_ns)


def healthcheck_state(found: Plain | None) -> Plain | None:
    if found is None:
        return None
    return {
        "tests": found.get("Test") or [],
        "interval": short_text(found.get("Interval", 0)),
        "timeout": short_text(found.get("Timeout", 0)),
        "startPeriod": short_text(found.get("StartPeriod", 0)),
        "retries": found.get("Retries", 0),
    }


def host_state(entry: str) -> Plain:
    address, _, name = entry.partition(" ")
    return {"ip": address, "host": name}


def stored_state(found: Plain, kind: str, prefix: str) -> Plain:
    file = found["File"]
    return {
        f"{kind}Id": found[f"{prefix}ID"],
        f"{kind}Name": found.get(f"{prefix}Name", ""),
        "fileName": file["Name"],
        "fileUid": file.get("UID", ""),
        "fileGid": file.get("GID", ""),
        "fileMode": file.get("Mode", 0),
    }


def resources_state(found: Plain) -> Plain:
    made: Plain = {}
    if limits := found.get("Limits"):
        made["limits"] = shares_state(limits)
    if reserved := found.get("Reservations"):
        generic = generic_state(reserved.get("GenericResources") or [])
        made["reservation"] = {**shares_state(reserved), **generic}
    return made


def shares_state(found: Plain) -> Plain:
    return {"nanoCpus": found.get("NanoCPUs", 0), "memoryBytes": found.get("MemoryBytes", 0)}


def generic_state(found: list[Plain]) -> Plain:
    if not found:
        return {}
    named = [item["NamedResourceSpec"] for item in found if item.get("NamedResourceSpec")]
    counted = [item["DiscreteResourceSpec"] for item in found if item.get("DiscreteResourceSpec")]
    return {
        "genericResources": {
            "namedResourcesSpecs": [f"{item['Kind']}={item['Value']}" for item in named],
            "discreteResourcesSpecs": [f"{item['Kind']}={item['Value']}" for item in counted],
        }
    }


def restart_state(found: Plain | None) -> Plain | None:
    if found is None:
        return None
    return {
        "condition": found.get("Condition") or None,
        "delay": duration_state(found.get("Delay")),
        "maxAttempts": found.get("MaxAttempts"),
        "window": duration_state(found.get("Window")),
    }


def placement_state(found: Plain) -> Plain:
    return {
        "constraints": found.get("Constraints") or [],
        "maxReplicas": found.get("MaxReplicas", 0),
        "platforms": [
            {"architecture": item.get("Architecture", ""), "os": item.get("OS", "")}
            for item in found.get("Platforms") or []
        ],
    }


def network_state(found: Plain) -> Plain:
    options = found.get("DriverOpts") or {}
    return {
        "id": found["Target"],
        "name": "",
        "aliases": found.get("Aliases") or [],
        "driverOpts": [f"{key}={value}" for key, value in options.items()],
    }


def driver_state(found: Plain | None) -> Plain | None:
    if found is None:
        return None
    return {"name": found["Name"], "options": found.get("Options") or {}}


def mode_state(found: Plain) -> Plain:
    made: Plain = {"global": "Global" in found}
    if replicated := found.get("Replicated"):
        made["replicated"] = {"replicas": replicated["Replicas"]}
    return made


def endpoint_state(found: Plain) -> Plain:
    """From the endpoint as it is; a service that the Swarm has not taken up yet has only a plan."""
    endpoint = found.get("Endpoint") or {}
    planned = found["Spec"].get("EndpointSpec") or {}
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
