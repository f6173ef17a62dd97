"""The body of the Engine's "create a container", from checked inputs. Pure."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.docker.durations import nanoseconds

Plain = dict[str, Any]


class Unusable(Exception):
    """Inputs that pass the check and that the official plugin refuses when it creates."""


def labels(listed: list[Plain]) -> dict[str, str]:
    return {item["label"]: item["value"] for item in listed}


def healthcheck(given: Plain | None) -> Plain | None:
    """A health check with its durations in nanoseconds."""
    if given is None:
        return None
    durations = {
        "Interval": "interval",
        "Timeout": "timeout",
        "StartPeriod": "startPeriod",
        "StartInterval": "startInterval",
    }
    times = {key: nanoseconds(given[name]) for key, name in durations.items() if name in given}
    return {"Test": given.get("tests", []), "Retries": given.get("retries", 0), **times}


def mount(given: Plain) -> Plain:
    """One mount; options that belong to another type of mount are left out."""
    made: Plain = {
        "Type": given["type"],
        "Target": given["target"],
        "Source": given.get("source", ""),
        "ReadOnly": given.get("readOnly", False),
    }
    if given["type"] == "bind" and "bindOptions" in given:
        made["BindOptions"] = {"Propagation": given["bindOptions"].get("propagation", "")}
    if given["type"] == "tmpfs" and "tmpfsOptions" in given:
        options = given["tmpfsOptions"]
        made["TmpfsOptions"] = {
            "SizeBytes": options.get("sizeBytes", 0),
            "Mode": options.get("mode", 0),
        }
    return made


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


def device(given: Plain) -> Plain:
    return {
        "PathOnHost": given["hostPath"],
        "PathInContainer": given.get("containerPath") or given["hostPath"],
        "CgroupPermissions": given["permissions"],
    }


def ulimit(given: Plain) -> Plain:
    return {"Name": given["name"], "Soft": given["soft"], "Hard": given["hard"]}


def container_body(inputs: Plain) -> Plain:
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
        "Labels": labels(inputs.get("labels", [])),
        "Healthcheck": healthcheck(inputs.get("healthcheck")),
        "StopTimeout": inputs.get("stopTimeout") or None,
        "Volumes": {
            volume["containerPath"]: {}
            for volume in inputs.get("volumes", [])
            if volume.get("containerPath")
        },
        "HostConfig": host_config(inputs),
    }
    return {key: item for key, item in body.items() if item is not None}


def host_config(inputs: Plain) -> Plain:
    volumes = inputs.get("volumes", [])
    binds = [bound for volume in volumes if (bound := bind(volume)) is not None]
    return {
        "AutoRemove": inputs.get("rm", False),
        "Binds": binds,
        "Devices": [device(item) for item in inputs.get("devices", [])],
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
        "Ulimits": [ulimit(item) for item in inputs.get("ulimits", [])],
        "VolumesFrom": [one["fromContainer"] for one in volumes if one.get("fromContainer")],
    }
