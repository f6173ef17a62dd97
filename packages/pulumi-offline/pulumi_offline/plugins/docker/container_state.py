"""The state of a container, from what the Engine says about it and the state before. Pure."""

from __future__ import annotations

from pulumi_offline.plugins.docker.documents import (
    Document,
    get_document,
    get_integer,
    get_text,
    list_documents,
)


def build_container_state(inspected: Document, before: Document) -> Document:
    """What a refresh keeps: environment and labels as given, the rest as the Engine has it."""
    config, host = get_document(inspected, "Config"), get_document(inspected, "HostConfig")
    log = get_document(host, "LogConfig")
    return {
        **before,
        **build_run_state(inspected, before),
        **build_identity_state(inspected, before),
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "user": config.get("User", ""),
        "devices": [build_device_state(item) for item in list_documents(host, "Devices")]
        if before.get("devices")
        else [],
        "ulimits": [build_ulimit_state(item) for item in list_documents(host, "Ulimits")]
        if before.get("ulimits")
        else [],
        "ipcMode": host.get("IpcMode", ""),
        "logDriver": log["Type"],
        "logOpts": log.get("Config") or {} if before.get("logOpts") else {},
        "mounts": [build_mount_state(item) for item in list_documents(host, "Mounts")],
        "networkMode": host["NetworkMode"],
        "restart": get_document(host, "RestartPolicy")["Name"],
        "runtime": host.get("Runtime", ""),
        "envs": before.get("envs", []),
        "labels": before.get("labels", []),
    }


def build_run_state(inspected: Document, before: Document) -> Document:
    """A container that should run and does not: `mustRun` turns false, which is the drift."""
    state = get_document(inspected, "State")
    if state["Running"]:
        return {}
    exit_code: Document = {"exitCode": state["ExitCode"]}
    return {**exit_code, "mustRun": False} if before.get("mustRun") else exit_code


def build_identity_state(inspected: Document, before: Document) -> Document:
    by_digest = get_text(before, "image").startswith("sha256:")
    name = get_document(inspected, "Config")["Image"]
    return {
        "id": inspected["Id"],
        "name": get_text(inspected, "Name").lstrip("/"),
        "image": inspected["Image"] if by_digest else name,
    }


def build_mount_state(mount: Document) -> Document:
    state: Document = {
        "type": mount["Type"],
        "source": mount.get("Source", ""),
        "target": mount["Target"],
        "readOnly": mount.get("ReadOnly", False),
    }
    if memory := get_document(mount, "TmpfsOptions"):
        state["tmpfsOptions"] = {"sizeBytes": get_integer(memory, "SizeBytes")}
    if bind := get_document(mount, "BindOptions"):
        state["bindOptions"] = {"propagation": get_text(bind, "Propagation")}
    return state


def build_device_state(device: Document) -> Document:
    return {"hostPath": device["PathOnHost"], "permissions": device["CgroupPermissions"]}


def build_ulimit_state(ulimit: Document) -> Document:
    return {"name": ulimit["Name"], "soft": ulimit["Soft"], "hard": ulimit["Hard"]}
