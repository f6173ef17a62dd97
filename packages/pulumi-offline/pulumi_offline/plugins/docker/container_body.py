"""The body of the Engine's "create a container", from checked inputs. Pure."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.docker.durations import parse_nanoseconds

Plain = dict[str, Any]


class Unusable(Exception):
    """Inputs that pass the check and that the official plugin refuses when it creates."""


def build_labels(listed: list[Plain]) -> dict[str, str]:
    return {item["label"]: item["value"] for item in listed}


def build_healthcheck(inputs: Plain | None) -> Plain | None:
    """A health check with its durations in nanoseconds."""
    if inputs is None:
        return None
    durations = {
        "Interval": "interval",
        "Timeout": "timeout",
        "StartPeriod": "startPeriod",
        "StartInterval": "startInterval",
    }
    times = {
        key: parse_nanoseconds(inputs[name]) for key, name in durations.items() if name in inputs
    }
    return {"Test": inputs.get("tests", []), "Retries": inputs.get("retries", 0), **times}


def mount(inputs: Plain) -> Plain:
    """One mount; options that belong to another type of mount are left out."""
    result: Plain = {
        "Type": inputs["type"],
        "Target": inputs["target"],
        "Source": inputs.get("source", ""),
        "ReadOnly": inputs.get("readOnly", False),
    }
    if inputs["type"] == "bind" and "bindOptions" in inputs:
        result["BindOptions"] = {"Propagation": inputs["bindOptions"].get("propagation", "")}
    if inputs["type"] == "tmpfs" and "tmpfsOptions" in inputs:
        options = inputs["tmpfsOptions"]
        result["TmpfsOptions"] = {
            "SizeBytes": options.get("sizeBytes", 0),
            "Mode": options.get("mode", 0),
        }
    return result


def bind(volume: Plain) -> str | None:
    """A volume in Docker's short form; None where the daemon makes a nameless one.

    Raises Unusable where it says neither or both of a path and another container.
    """
    path, source = volume.get("containerPath", ""), volume.get("fromContainer", "")
    if not path and not source:
        raise Unusable(
            "Unable to parse volumes: volume entry without container path or source container"
        )
    if path and source:
        raise Unusable(
            "Unable to parse volumes: both a container and a path specified in a volume entry"
        )
    name = volume.get("hostPath") or volume.get("volumeName")
    if source or not name:
        return None
    access = "ro" if volume.get("readOnly") else "rw"
    relabel = volume.get("selinuxRelabel")
    return f"{name}:{path}:{access}" + (f",{relabel}" if relabel else "")


def build_device(inputs: Plain) -> Plain:
    return {
        "PathOnHost": inputs["hostPath"],
        "PathInContainer": inputs.get("containerPath") or inputs["hostPath"],
        "CgroupPermissions": inputs["permissions"],
    }


def build_ulimit(inputs: Plain) -> Plain:
    return {"Name": inputs["name"], "Soft": inputs["soft"], "Hard": inputs["hard"]}


def build_container_body(inputs: Plain) -> Plain:
    """Config and HostConfig. Raises Unusable."""
    command = inputs.get("command", [])
    if "" in command:
        raise Unusable("values for command may not be empty")
    body = {
        "Image": inputs["image"],
        "Cmd": command or None,
        "Entrypoint": inputs.get("entrypoints") or None,
        "Env": inputs.get("envs", []),
        "User": inputs.get("user", ""),
        "WorkingDir": inputs.get("workingDir", ""),
        "Labels": build_labels(inputs.get("labels", [])),
        "Healthcheck": build_healthcheck(inputs.get("healthcheck")),
        "StopTimeout": inputs.get("stopTimeout") or None,
        "Volumes": {
            volume["containerPath"]: {}
            for volume in inputs.get("volumes", [])
            if volume.get("containerPath")
        },
        "HostConfig": build_host_config(inputs),
    }
    return {key: item for key, item in body.items() if item is not None}


def build_host_config(inputs: Plain) -> Plain:
    volumes = inputs.get("volumes", [])
    binds = [bound for volume in volumes if (bound := bind(volume)) is not None]
    return {
        "AutoRemove": inputs.get("rm", False),
        "Binds": binds,
        "Devices": [build_device(item) for item in inputs.get("devices", [])],
        "ExtraHosts": [f"{item['host']}:{item['ip']}" for item in inputs.get("hosts", [])],
        # The official plugin always decides this, and no input of ours changes it.
        "Init": False,
        "IpcMode": inputs.get("ipcMode", ""),
        "LogConfig": {"Type": inputs.get("logDriver", ""), "Config": inputs.get("logOpts", {})},
        "Mounts": [mount(item) for item in inputs.get("mounts", [])],
        "NetworkMode": inputs["networkMode"],
        "RestartPolicy": {"Name": inputs["restart"], "MaximumRetryCount": 0},
        "Runtime": inputs.get("runtime", ""),
        "ShmSize": inputs.get("shmSize", 0) * 1024 * 1024,
        "Ulimits": [build_ulimit(item) for item in inputs.get("ulimits", [])],
        "VolumesFrom": [entry["fromContainer"] for entry in volumes if entry.get("fromContainer")],
    }
