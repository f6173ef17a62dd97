"""The state of a container, from what the Engine says about it and the state before. Pure."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.docker.durations import go_text

Plain = dict[str, Any]
MIB = 1024 * 1024


def container_state(found: Plain, before: Plain) -> Plain:
    """What a refresh keeps: environment and labels as given, the rest as the Engine has it."""
    config, host = found["Config"], found["HostConfig"]
    return {
        **before,
        **running_state(found, before),
        **identity_state(found, before),
        **process_state(config),
        **placed_state(config, host),
        "devices": [device_state(item, before) for item in host.get("Devices") or []]
        if before.get("devices")
        else [],
        "ulimits": [ulimit_state(item) for item in host.get("Ulimits") or []]
        if before.get("ulimits")
        else [],
        "logOpts": host["LogConfig"].get("Config") or {} if before.get("logOpts") else {},
        "envs": before.get("envs", []),
        "labels": before.get("labels", []),
        "volumes": before.get("volumes", []),
    }


def running_state(found: Plain, before: Plain) -> Plain:
    """A container that should run and does not: `mustRun` turns false, which is the drift."""
    if found["State"]["Running"]:
        return {}
    wanted = {"mustRun": False} if before.get("mustRun") else {}
    return {"exitCode": found["State"]["ExitCode"], **wanted}


def identity_state(found: Plain, before: Plain) -> Plain:
    by_digest = str(before.get("image", "")).startswith("sha256:")
    settings = found.get("NetworkSettings") or {}
    return {
        "id": found["Id"],
        "name": found["Name"].lstrip("/"),
        "image": found["Image"] if by_digest else found["Config"]["Image"],
        "platform": found.get("Platform", ""),
        "bridge": settings.get("Bridge", ""),
        "networkDatas": [
            network_data(name, item) for name, item in (settings.get("Networks") or {}).items()
        ],
    }


def network_data(name: str, found: Plain) -> Plain:
    return {
        "networkName": name,
        "ipAddress": found.get("IPAddress", ""),
        "ipPrefixLength": found.get("IPPrefixLen", 0),
        "gateway": found.get("Gateway", ""),
        "globalIpv6Address": found.get("GlobalIPv6Address", ""),
        "globalIpv6PrefixLength": found.get("GlobalIPv6PrefixLen", 0),
        "ipv6Gateway": found.get("IPv6Gateway", ""),
        "macAddress": found.get("MacAddress", ""),
    }


def process_state(config: Plain) -> Plain:
    return {
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "hostname": config.get("Hostname", ""),
        "user": config.get("User", ""),
        "workingDir": config.get("WorkingDir", ""),
        "healthcheck": healthcheck_state(config.get("Healthcheck")),
        "stopSignal": config.get("StopSignal", ""),
        "stopTimeout": config.get("StopTimeout") or 0,
    }


def healthcheck_state(found: Plain | None) -> Plain | None:
    if found is None:
        return None
    return {
        "tests": found.get("Test") or [],
        "interval": go_text(found.get("Interval", 0)),
        "timeout": go_text(found.get("Timeout", 0)),
        "startPeriod": go_text(found.get("StartPeriod", 0)),
        "startInterval": go_text(found.get("StartInterval", 0)),
        "retries": found.get("Retries", 0),
    }


def placed_state(config: Plain, host: Plain) -> Plain:
    return {
        "hosts": [host_state(item) for item in host.get("ExtraHosts") or []],
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


def host_state(entry: str) -> Plain:
    name, _, address = entry.partition(":")
    return {"host": name, "ip": address}


def mount_state(found: Plain) -> Plain:
    options = {}
    if bound := found.get("BindOptions"):
        options["bindOptions"] = {"propagation": bound.get("Propagation", "")}
    if memory := found.get("TmpfsOptions"):
        options["tmpfsOptions"] = {
            "sizeBytes": memory.get("SizeBytes", 0),
            "mode": memory.get("Mode", 0),
        }
    return {
        "type": found["Type"],
        "source": found.get("Source", ""),
        "target": found["Target"],
        "readOnly": found.get("ReadOnly", False),
        **options,
    }


def device_state(found: Plain, before: Plain) -> Plain:
    """A path in the container shows only where the program gave one."""
    given = {item["hostPath"] for item in before.get("devices", []) if item.get("containerPath")}
    inside = found["PathInContainer"] if found["PathOnHost"] in given else ""
    return {
        "hostPath": found["PathOnHost"],
        "containerPath": inside,
        "permissions": found["CgroupPermissions"],
    }


def ulimit_state(found: Plain) -> Plain:
    return {"name": found["Name"], "soft": found["Soft"], "hard": found["Hard"]}
