"""dockerd offers the GPU: runtime, Swarm resource and limits, merged into files of others.

Swarm hands a task's GPU on as DOCKER_RESOURCE_<KIND>, so the kind in daemon.json and the name in
the NVIDIA runtime's config.toml must match (moby daemon/container.go; nvidia-container-toolkit
issue 57). Services know no ulimits: RDMA's locked memory comes from dockerd's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import action, file
from node.errors import Refusal
from node.files import json_keys, lines, toml_top
from node.host import docker_api
from node.host.differences import changed
from node.host.plain import listing, mapping
from node.host.system import COMMAND_NOT_FOUND, System
from node.state.manifest import Journal

DAEMON = "/etc/docker/daemon.json"
TOOLKIT = "/etc/nvidia-container-runtime/config.toml"
KIND_OF_GPU = "NVIDIA_GPU="
READ = "runs with its files"
EMPTY = "{}\n"
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


NAMES = {
    "default_runtime": "default-runtime",
    "runtime_path": "runtimes.nvidia.path",
    "generic_resource": "node-generic-resources",
    "memlock_bytes": "default-ulimits.memlock",
    "stack_bytes": "default-ulimits.stack",
    "swarm_resource": "swarm-resource",
}


def wanted(gpu_uuid: str | None) -> Want:
    """What a node with this GPU should have; None where no Swarm is to place work on it."""
    return Want(
        default_runtime="nvidia",
        runtime_path="nvidia-container-runtime",
        generic_resource=f"{KIND_OF_GPU}{gpu_uuid}" if gpu_uuid else None,
        memlock_bytes=-1,
        stack_bytes=64 * 1024 * 1024,
        swarm_resource="DOCKER_RESOURCE_NVIDIA_GPU" if gpu_uuid else None,
        dockerd=READ,
    )


def observe(system: System, request: Json) -> dict[str, Any]:
    """The owned keys of both files, and whether the dockerd that runs has read them.

    Each is null where it is unset; `unreadable` says why daemon.json could not be read.
    """
    try:
        tree = json_keys.parse(system.read(DAEMON))
    except ValueError as error:
        return {"unreadable": str(error)}
    due = action.is_due(Journal(system, "docker_daemon", "").of(action.KIND, action.RESTART_DOCKER))
    resources = json_keys.find(tree, ["node-generic-resources"], KIND_OF_GPU)
    seen: dict[str, Any] = {
        "default_runtime": _one(tree, "default-runtime"),
        "runtime_path": _one(tree, "runtimes", "nvidia", "path"),
        "generic_resource": ", ".join(resources[0]) if resources else None,
        "memlock_bytes": _ulimit(tree, "memlock"),
        "stack_bytes": _ulimit(tree, "stack"),
        "swarm_resource": toml_top.find(system.read(TOOLKIT), "swarm-resource"),
    }
    seen["dockerd"] = _daemon(docker_api.get(system, "/info"), seen, due)
    return seen


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    if "unreadable" in seen:
        return dict(seen)
    return {name: None if want[name] is None else seen.get(name) for name in want}


def differences(have: Json, want: Json) -> list[str]:
    if "unreadable" in have:
        return [f"{DAEMON} cannot be read: {have['unreadable']}"]
    said = [
        changed(NAMES[name], _limit(name, have.get(name)), _limit(name, want[name]))
        for name in NAMES
        if have.get(name) != want[name]
    ]
    stale = have.get("dockerd") != want["dockerd"]
    return said + ([f"dockerd {have['dockerd']}, will be restarted"] if stale else [])


def disturbs(have: Json, want: Json) -> str:
    """config.toml is read as each container starts; everything else needs a restart of dockerd."""
    others = [name for name in want if name != "swarm_resource" and have.get(name) != want[name]]
    return "docker" if others else "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    have = narrow(observe(journal.system, want), want)
    if "unreadable" in have:
        raise Refusal(f"{DAEMON} is left as it is: {have['unreadable']}. Mend or remove it first.")
    if have == want:
        return []
    _require_runtime(journal.system)
    before = journal.system.read(DAEMON)
    edits = daemon_edits(before, have, want)
    if edits or have["dockerd"] != want["dockerd"]:
        action.mark(journal, action.RESTART_DOCKER)
    if edits:
        _write_daemon(journal, json_keys.merge(before, edits), edits)
    done = [f"{DAEMON}: {'.'.join(edit['path'])} set" for edit in edits] + _toolkit(journal, want)
    return done + _restart(journal, before, edits)


def daemon_edits(text: str | None, have: Json, want: Json) -> list[json_keys.Edit]:
    """What of daemon.json differs, as edits. Pure."""
    tree = json_keys.parse(text)
    settings: list[tuple[str, list[str], object, str | None]] = [
        ("runtime_path", ["runtimes", "nvidia"], _runtime(tree, want), None),
        ("default_runtime", ["default-runtime"], want["default_runtime"], None),
        ("memlock_bytes", *_limit_setting("memlock", want["memlock_bytes"])),
        ("stack_bytes", *_limit_setting("stack", want["stack_bytes"])),
        (
            "generic_resource",
            ["node-generic-resources"],
            [want["generic_resource"]],
            KIND_OF_GPU,
        ),
    ]
    return [
        json_keys.edit(tree, path, value, prefix)
        for name, path, value, prefix in settings
        if have.get(name) != want[name]
    ]


def _restart(journal: Journal, before: str | None, edits: list[json_keys.Edit]) -> list[str]:
    """A dockerd that does not start with our keys gets its file back: containers need it."""
    try:
        return action.settle(journal, action.RESTART_DOCKER)
    except Refusal as refusal:
        if edits:
            _write_daemon(journal, EMPTY if before is None else before, [])
            action.settle(journal, action.RESTART_DOCKER)
        raise Refusal(f"{refusal} {DAEMON} is as it was before.") from None


def _write_daemon(journal: Journal, text: str, edits: list[json_keys.Edit]) -> None:
    file.write(journal, file.Change(DAEMON, text, 0o644, file.JSON, edits))


def _toolkit(journal: Journal, want: Json) -> list[str]:
    text, resource = journal.system.read(TOOLKIT), want["swarm_resource"]
    edits = toml_top.edit(text, "swarm-resource", resource) if resource else []
    if not edits:
        return []
    if text is None:
        raise Refusal(f"{TOOLKIT} is missing; install nvidia-container-toolkit 1.19 or newer.")
    file.write(journal, file.Change(TOOLKIT, lines.merge(text, edits), 0o644, file.LINES, edits))
    return [f"{TOOLKIT}: swarm-resource set to {resource}"]


def _require_runtime(system: System) -> None:
    if system.run(["nvidia-container-runtime", "--version"]).code == COMMAND_NOT_FOUND:
        raise Refusal("nvidia-container-runtime is missing; install nvidia-container-toolkit.")


def _daemon(info: object, seen: Json, due: bool) -> str:
    """dockerd in want's words. `info` is what GET /info answers; its GenericResources are
    [{"NamedResourceSpec": {"Kind": ..., "Value": ...}}] (Docker Engine API, SystemInfo)."""
    if info is None:
        return "does not answer"
    found = mapping(info)
    named = [
        mapping(one.get("NamedResourceSpec")) for one in listing(found.get("GenericResources"))
    ]
    running = [f"{one.get('Kind')}={one.get('Value')}" for one in named]
    gpus = ", ".join(one for one in running if one.startswith(KIND_OF_GPU)) or None
    runtime = found.get("DefaultRuntime")
    fresh = runtime == (seen["default_runtime"] or "runc") and gpus == seen["generic_resource"]
    return READ if fresh and not due else "has not read its files"


def _runtime(tree: Json, want: Json) -> object:
    found = _one(tree, "runtimes", "nvidia")
    kept = found if isinstance(found, dict) else {"args": []}
    return {**kept, "path": want["runtime_path"]}


def _limit_setting(name: str, value: int) -> tuple[list[str], object, None]:
    limit = {"Name": name, "Hard": value, "Soft": value}
    return ["default-ulimits", name], limit, None


def _ulimit(tree: Json, name: str) -> int | None:
    """The limit where soft and hard agree; a soft limit below the hard one counts as unset."""
    found = _one(tree, "default-ulimits", name)
    if not isinstance(found, dict) or found.get("Hard") != found.get("Soft"):
        return None
    value = found.get("Hard")
    return value if isinstance(value, int) else None


def _limit(name: str, value: object) -> object:
    return "unlimited" if name.endswith("_bytes") and value == -1 else value


def _one(tree: Json, *path: str) -> object:
    found = json_keys.find(dict(tree), path)
    return found[0] if found else None
