"""The state of a container, from what the Engine says about it and the state before. Pure."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.docker.durations import format_go_duration

Plain = dict[str, Any]
MIB = 1024 * 1024


def read_container_state(document: Plain, before: Plain) -> Plain:
    """What a refresh keeps: environment and labels as given, the rest as the Engine has it."""
    config, host = document["Config"], document["HostConfig"]
    return {
        **before,
        **read_running_state(document, before),
        **read_identity_state(document, before),
        **process_state(config),
        **read_placed_state(config, host),
        "devices": [read_device_state(item, before) for item in host.get("Devices") or []]
        if before.get("devices")
        else [],
        "ulimits": [read_ulimit_state(item) for item in host.get("Ulimits") or []]
        if before.get("ulimits")
        else [],
        "logOpts": host["LogConfig"].get("Config") or {} if before.get("logOpts") else {},
        "envs": before.get("envs", []),
        "labels": before.get("labels", []),
        "volumes": before.get("volumes", []),
    }


def read_running_state(document: Plain, before: Plain) -> Plain:
    """A container that should run and does not: `mustRun` turns false, which is the drift."""
    if document["State"]["Running"]:
        return {}
    wanted = {"mustRun": False} if before.get("mustRun") else {}
    return {"exitCode": document["State"]["ExitCode"], **wanted}


def read_identity_state(document: Plain, before: Plain) -> Plain:
    by_digest = str(before.get("image", "")).startswith("sha256:")
    settings = document.get("NetworkSettings") or {}
    return {
        "id": document["Id"],
        "name": document["Name"].lstrip("/"),
        "image": document["Image"] if by_digest else document["Config"]["Image"],
        "platform": document.get("Platform", ""),
        "bridge": settings.get("Bridge", ""),
        "networkDatas": [
            read_network_data(name, item) for name, item in (settings.get("Networks") or {}).items()
        ],
    }


def read_network_data(name: str, document: Plain) -> Plain:
    return {
        "networkName": name,
        "ipAddress": document.get("IPAddress", ""),
        "ipPrefixLength": document.get("IPPrefixLen", 0),
        "gateway": document.get("Gateway", ""),
        "globalIpv6Address": document.get("GlobalIPv6Address", ""),
        "globalIpv6PrefixLength": document.get("GlobalIPv6PrefixLen", 0),
        "ipv6Gateway": document.get("IPv6Gateway", ""),
        "macAddress": document.get("MacAddress", ""),
    }


def process_state(config: Plain) -> Plain:
    return {
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "hostname": config.get("Hostname", ""),
        "user": config.get("User", ""),
        "workingDir": config.get("WorkingDir", ""),
        "healthcheck": read_healthcheck_state(config.get("Healthcheck")),
        "stopSignal": config.get("StopSignal", ""),
        "stopTimeout": config.get("StopTimeout") or 0,
    }


def read_healthcheck_state(document: Plain | None) -> Plain | None:
    if document is None:
        return None
    return {
        "tests": document.get("Test") or [],
        "interval": format_go_duration(document.get("Interval", 0)),
        "timeout": format_go_duration(document.get("Timeout", 0)),
        "startPeriod": format_go_duration(document.get("StartPeriod", 0)),
        "startInterval": format_go_duration(document.get("StartInterval", 0)),
        "retries": document.get("Retries", 0),
    }


def read_placed_state(config: Plain, host: Plain) -> Plain:
    return {
        "hosts": [read_host_state(item) for item in host.get("ExtraHosts") or []],
        "init": bool(host.get("Init")),
        "ipcMode": host.get("IpcMode", ""),
        "logDriver": host["LogConfig"]["Type"],
        "mounts": [mount_state(item) for item in host.get("Mounts") or []],
        "networkMode": host["NetworkMode"],
        "restart": host["RestartPolicy"]["Name"],
        "rm": host["AutoRemove"],
        "runtime": host.get("Runtime", ""),
        "securityOpts": host.get("SecurityOpt") or [],
        "shmSize": host.get("ShmSize", 0) // MIB,
    }


def read_host_state(entry: str) -> Plain:
    name, _, address = entry.partition(":")
    return {"host": name, "ip": address}


def mount_state(document: Plain) -> Plain:
    options = {}
    if bound := document.get("BindOptions"):
        options["bindOptions"] = {"propagation": bound.get("Propagation", "")}
    if memory := document.get("TmpfsOptions"):
        options["tmpfsOptions"] = {
            "sizeBytes": memory.get("SizeBytes", 0),
            "mode": memory.get("Mode", 0),
        }
    return {
        "type": document["Type"],
        "source": document.get("Source", ""),
        "target": document["Target"],
        "readOnly": document.get("ReadOnly", False),
        **options,
    }


def read_device_state(document: Plain, before: Plain) -> Plain:
    """A path in the container shows only where the program gave one."""
    inputs = {item["hostPath"] for item in before.get("devices", []) if item.get("containerPath")}
    inside = document["PathInContainer"] if document["PathOnHost"] in inputs else ""
    return {
        "hostPath": document["PathOnHost"],
        "containerPath": inside,
        "permissions": document["CgroupPermissions"],
    }


def read_ulimit_state(document: Plain) -> Plain:
    return {"name": document["Name"], "soft": document["Soft"], "hard": document["Hard"]}
