"""The body of the Engine's "create a container", from checked inputs. Pure."""

from __future__ import annotations

from pulumi_offline.plugins.docker.documents import (
    Document,
    get_document,
    get_text,
    list_documents,
    list_texts,
)


class UnusableInputError(Exception):
    """Inputs that pass the check and that the official plugin refuses when it creates."""


def build_labels(inputs: Document) -> Document:
    return {get_text(item, "label"): item["value"] for item in list_documents(inputs, "labels")}


def build_mount(mount: Document) -> Document:
    """One mount; options that belong to another type of mount are left out."""
    body: Document = {
        "Type": mount["type"],
        "Target": mount["target"],
        "Source": mount.get("source", ""),
        "ReadOnly": mount.get("readOnly", False),
    }
    if mount["type"] == "tmpfs" and "tmpfsOptions" in mount:
        size = get_document(mount, "tmpfsOptions").get("sizeBytes", 0)
        body["TmpfsOptions"] = {"SizeBytes": size}
    if mount["type"] == "bind" and "bindOptions" in mount:
        propagation = get_document(mount, "bindOptions").get("propagation", "")
        body["BindOptions"] = {"Propagation": propagation}
    return body


def build_device(device: Document) -> Document:
    return {
        "PathOnHost": device["hostPath"],
        "PathInContainer": device["hostPath"],
        "CgroupPermissions": device["permissions"],
    }


def build_ulimit(ulimit: Document) -> Document:
    return {"Name": ulimit["name"], "Soft": ulimit["soft"], "Hard": ulimit["hard"]}


def build_container_body(inputs: Document) -> Document:
    """Config and HostConfig. Raises UnusableInputError."""
    if "" in list_texts(inputs, "command"):
        raise UnusableInputError("values for command may not be empty")
    body: Document = {
        "Image": inputs["image"],
        "Cmd": inputs.get("command") or None,
        "Entrypoint": inputs.get("entrypoints") or None,
        "Env": inputs.get("envs", []),
        "User": inputs.get("user", ""),
        "Labels": build_labels(inputs),
        "HostConfig": build_host_config(inputs),
    }
    return {key: item for key, item in body.items() if item is not None}


def build_host_config(inputs: Document) -> Document:
    return {
        "Devices": [build_device(item) for item in list_documents(inputs, "devices")],
        # The official plugin always decides this, and no input of ours changes it.
        "Init": False,
        "IpcMode": inputs.get("ipcMode", ""),
        "LogConfig": {"Type": inputs.get("logDriver", ""), "Config": inputs.get("logOpts", {})},
        "Mounts": [build_mount(item) for item in list_documents(inputs, "mounts")],
        "NetworkMode": inputs["networkMode"],
        "RestartPolicy": {"Name": inputs["restart"], "MaximumRetryCount": 0},
        "Runtime": inputs.get("runtime", ""),
        "Ulimits": [build_ulimit(item) for item in list_documents(inputs, "ulimits")],
    }
