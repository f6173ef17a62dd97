"""dockerd offers the GPU: runtime, Swarm resource and limits, merged into files of others.

Swarm hands a task's GPU on as DOCKER_RESOURCE_<KIND>, so the kind in daemon.json and the name in
the NVIDIA runtime's config.toml must match (moby daemon/container.go; nvidia-container-toolkit
issue 57). Services know no ulimits: RDMA's locked memory comes from dockerd's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import action, file
from node.errors import StepError
from node.files import json_keys, lines, toml_top
from node.host import docker_api
from node.host.differences import format_change
from node.host.plain import as_list, as_mapping
from node.host.system import COMMAND_NOT_FOUND, System
from node.state.manifest import Manifest

DAEMON = "/etc/docker/daemon.json"
TOOLKIT = "/etc/nvidia-container-runtime/config.toml"
GPU_RESOURCE_PREFIX = "NVIDIA_GPU="
UP_TO_DATE = "runs with its files"
EMPTY_DAEMON = "{}\n"
Json = Mapping[str, Any]


class Want(TypedDict):
    """The keys of the two files; null for one that is left alone. Limits in bytes, -1 for none."""

    default_runtime: str
    runtime_path: str
    generic_resource: str | None
    memlock_bytes: int
    stack_bytes: int
    swarm_resource: str | None
    dockerd: str


KEY_NAMES = {
    "default_runtime": "default-runtime",
    "runtime_path": "runtimes.nvidia.path",
    "generic_resource": "node-generic-resources",
    "memlock_bytes": "default-ulimits.memlock",
    "stack_bytes": "default-ulimits.stack",
    "swarm_resource": "swarm-resource",
}


def build_want(gpu_uuid: str | None) -> Want:
    """What a node with this GPU should have; None where no Swarm is to place work on it."""
    return Want(
        default_runtime="nvidia",
        runtime_path="nvidia-container-runtime",
        generic_resource=f"{GPU_RESOURCE_PREFIX}{gpu_uuid}" if gpu_uuid else None,
        memlock_bytes=-1,
        stack_bytes=64 * 1024 * 1024,
        swarm_resource="DOCKER_RESOURCE_NVIDIA_GPU" if gpu_uuid else None,
        dockerd=UP_TO_DATE,
    )


def observe(system: System, request: Json) -> dict[str, Any]:
    """The owned keys of both files, and whether the dockerd that runs has read them.

    Each is null where it is unset; `unreadable` says why daemon.json could not be read.
    """
    try:
        tree = json_keys.parse(system.read(DAEMON))
    except ValueError as error:
        return {"unreadable": str(error)}
    is_due = action.is_due(
        Manifest(system, "docker_daemon", "").list_for(action.KIND, action.RESTART_DOCKER)
    )
    resources = json_keys.get_items(tree, ["node-generic-resources"], GPU_RESOURCE_PREFIX)
    observed: dict[str, Any] = {
        "default_runtime": _find_value(tree, "default-runtime"),
        "runtime_path": _find_value(tree, "runtimes", "nvidia", "path"),
        "generic_resource": ", ".join(map(str, as_list(resources[0]))) if resources else None,
        "memlock_bytes": _read_ulimit(tree, "memlock"),
        "stack_bytes": _read_ulimit(tree, "stack"),
        "swarm_resource": toml_top.get_value(system.read(TOOLKIT), "swarm-resource"),
    }
    observed["dockerd"] = _describe_daemon(docker_api.get(system, "/info"), observed, is_due)
    return observed


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    if "unreadable" in observed:
        return dict(observed)
    return {name: None if want[name] is None else observed.get(name) for name in want}


def compare(have: Json, want: Json) -> list[str]:
    if "unreadable" in have:
        return [f"{DAEMON} cannot be read: {have['unreadable']}"]
    messages = [
        format_change(
            KEY_NAMES[name], _format_limit(name, have.get(name)), _format_limit(name, want[name])
        )
        for name in KEY_NAMES
        if have.get(name) != want[name]
    ]
    is_stale = have.get("dockerd") != want["dockerd"]
    return messages + ([f"dockerd {have['dockerd']}, will be restarted"] if is_stale else [])


def get_disturbance(have: Json, want: Json) -> str:
    """config.toml is read as each container starts; everything else needs a restart of dockerd."""
    restart_keys = [
        name for name in want if name != "swarm_resource" and have.get(name) != want[name]
    ]
    return "docker" if restart_keys else "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    have = narrow(observe(manifest.system, want), want)
    if "unreadable" in have:
        raise StepError(
            f"{DAEMON} is left as it is: {have['unreadable']}. Mend or remove it first."
        )
    if have == want:
        return []
    _require_runtime(manifest.system)
    old_text = manifest.system.read(DAEMON)
    edits = plan_daemon_edits(old_text, have, want)
    if edits or have["dockerd"] != want["dockerd"]:
        action.mark_due(manifest, action.RESTART_DOCKER)
    if edits:
        _write_daemon(manifest, json_keys.apply_edits(old_text, edits), edits)
    messages = [f"{DAEMON}: {'.'.join(edit['path'])} set" for edit in edits] + _edit_toolkit(
        manifest, want
    )
    return messages + _restart_docker(manifest, old_text, edits)


def plan_daemon_edits(text: str | None, have: Json, want: Json) -> list[json_keys.JsonEdit]:
    """What of daemon.json differs, as edits. Pure."""
    tree = json_keys.parse(text)
    settings: list[tuple[str, list[str], object, str | None]] = [
        ("runtime_path", ["runtimes", "nvidia"], _build_runtime(tree, want), None),
        ("default_runtime", ["default-runtime"], want["default_runtime"], None),
        ("memlock_bytes", *_build_ulimit("memlock", want["memlock_bytes"])),
        ("stack_bytes", *_build_ulimit("stack", want["stack_bytes"])),
        (
            "generic_resource",
            ["node-generic-resources"],
            [want["generic_resource"]],
            GPU_RESOURCE_PREFIX,
        ),
    ]
    return [
        json_keys.plan_edit(tree, path, value, prefix)
        for name, path, value, prefix in settings
        if have.get(name) != want[name]
    ]


def _restart_docker(
    manifest: Manifest, old_text: str | None, edits: list[json_keys.JsonEdit]
) -> list[str]:
    """A dockerd that does not start with our keys gets its file back: containers need it."""
    try:
        return action.perform_due(manifest, action.RESTART_DOCKER)
    except StepError as failure:
        if edits:
            _write_daemon(manifest, EMPTY_DAEMON if old_text is None else old_text, [])
            action.perform_due(manifest, action.RESTART_DOCKER)
        raise StepError(f"{failure} {DAEMON} is as it was before.") from None


def _write_daemon(manifest: Manifest, text: str, edits: list[json_keys.JsonEdit]) -> None:
    file.write(manifest, file.FileChange(DAEMON, text, 0o644, file.JSON, edits))


def _edit_toolkit(manifest: Manifest, want: Json) -> list[str]:
    text, resource = manifest.system.read(TOOLKIT), want["swarm_resource"]
    edits = toml_top.plan_edit(text, "swarm-resource", resource) if resource else []
    if not edits:
        return []
    if text is None:
        raise StepError(f"{TOOLKIT} is missing; install nvidia-container-toolkit 1.19 or newer.")
    file.write(
        manifest, file.FileChange(TOOLKIT, lines.apply_edits(text, edits), 0o644, file.LINES, edits)
    )
    return [f"{TOOLKIT}: swarm-resource set to {resource}"]


def _require_runtime(system: System) -> None:
    if system.run(["nvidia-container-runtime", "--version"]).code == COMMAND_NOT_FOUND:
        raise StepError("nvidia-container-runtime is missing; install nvidia-container-toolkit.")


def _describe_daemon(info: object, observed: Json, is_due: bool) -> str:
    """dockerd in want's words. `info` is what GET /info answers; its GenericResources are
    [{"NamedResourceSpec": {"Kind": ..., "Value": ...}}] (Docker Engine API, SystemInfo)."""
    if info is None:
        return "does not answer"
    docker_info = as_mapping(info)
    resources = [
        as_mapping(resource.get("NamedResourceSpec"))
        for resource in as_list(docker_info.get("GenericResources"))
    ]
    running = [f"{resource.get('Kind')}={resource.get('Value')}" for resource in resources]
    gpus = (
        ", ".join(resource for resource in running if resource.startswith(GPU_RESOURCE_PREFIX))
        or None
    )
    runtime = docker_info.get("DefaultRuntime")
    is_current = (
        runtime == (observed["default_runtime"] or "runc") and gpus == observed["generic_resource"]
    )
    return UP_TO_DATE if is_current and not is_due else "has not read its files"


def _build_runtime(tree: Json, want: Json) -> object:
    runtime = _find_value(tree, "runtimes", "nvidia")
    old_runtime = runtime if isinstance(runtime, dict) else {"args": []}
    return {**old_runtime, "path": want["runtime_path"]}


def _build_ulimit(name: str, value: int) -> tuple[list[str], object, None]:
    limit = {"Name": name, "Hard": value, "Soft": value}
    return ["default-ulimits", name], limit, None


def _read_ulimit(tree: Json, name: str) -> int | None:
    """The limit where soft and hard agree; a soft limit below the hard one counts as unset."""
    ulimit = _find_value(tree, "default-ulimits", name)
    if not isinstance(ulimit, dict) or ulimit.get("Hard") != ulimit.get("Soft"):
        return None
    value = ulimit.get("Hard")
    return value if isinstance(value, int) else None


def _format_limit(name: str, value: object) -> object:
    return "unlimited" if name.endswith("_bytes") and value == -1 else value


def _find_value(tree: Json, *path: str) -> object:
    match = json_keys.get_items(dict(tree), path)
    return match[0] if match else None
