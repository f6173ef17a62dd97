"""Inputs of things that the tests make, and what a Diff says in short."""

from __future__ import annotations

import base64
from typing import Any

from pulumi.runtime.proto import provider_pb2

Inputs = dict[str, Any]
# What the official plugin names beside the changed property: bookkeeping of the bridge that it
# is made of. The decision (update, replace) is the same without.
BOOKKEEPING = {"__meta", "taskSpec.containerSpec.sysctl"}


def encode_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def build_container(**changes: Any) -> Inputs:
    """A container that runs until it is stopped; an entry that is changed to None is left out."""
    inputs = {
        "name": "engine",
        "image": "busybox:1",
        "command": ["sleep", "1000"],
        "networkMode": "host",
        **changes,
    }
    return {key: item for key, item in inputs.items() if item is not None}


def build_service(**changes: Any) -> Inputs:
    """A service whose every part is in the form that the daemon gives back."""
    inputs = {
        "name": "engine",
        "labels": [{"label": "token", "value": "abc-1"}],
        "taskSpec": build_task(),
        **changes,
    }
    return {key: item for key, item in inputs.items() if item is not None}


def build_task(**changes: Any) -> Inputs:
    inputs = {
        "containerSpec": build_spec(),
        "restartPolicy": {"condition": "none", "delay": "0s", "window": "0s"},
        "placement": {"constraints": ["node.role==manager"]},
        "resources": {
            "reservation": {"genericResources": {"discreteResourcesSpecs": ["NVIDIA-GPU=1"]}}
        },
        **changes,
    }
    return {key: item for key, item in inputs.items() if item is not None}


def build_spec(**changes: Any) -> Inputs:
    inputs = {
        "image": "busybox:1",
        "commands": ["sleep"],
        "args": ["1000"],
        "env": {"A": "1"},
        "mounts": [{"type": "bind", "source": "/tmp", "target": "/models", "readOnly": True}],
        **changes,
    }
    return {key: item for key, item in inputs.items() if item is not None}


def read_decision(response: provider_pb2.DiffResponse) -> str:
    """`same`, `update`, or `replace`, with what comes first."""
    if response.changes != provider_pb2.DiffResponse.DIFF_SOME:
        return "same"
    if not response.replaces:
        return "update"
    return "replace, delete first" if response.deleteBeforeReplace else "replace, create first"


def list_changed(response: provider_pb2.DiffResponse) -> set[str]:
    """The changed top-level properties."""
    names = {
        path.partition(".")[0].partition("[")[0]
        for path in response.detailedDiff
        if path not in BOOKKEEPING
    }
    assert names <= set(response.diffs), response
    return names
