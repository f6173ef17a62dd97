"""dockerd offers the GPU: runtime, Swarm resource and limits, merged into files of others.

Swarm hands a task's GPU on as DOCKER_RESOURCE_<KIND>, so the kind in daemon.json and the name in
the NVIDIA runtime's config.toml must match (moby daemon/container.go; nvidia-container-toolkit
issue 57). Services know no ulimits: RDMA's locked memory comes from dockerd's defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from node.changes import action, file
from node.errors import StepError
from node.files import daemon_json, json_keys, lines, toml_top
from node.files.daemon_json import GPU_RESOURCE_PREFIX
from node.host import docker_api
from node.host.differences import format_change
from node.host.plain import as_list, as_mapping
from node.host.system import COMMAND_NOT_FOUND, System
from node.host.typed_json import OMITTED
from node.state.manifest import Manifest
from node.steps import Disturbance, Secrets, StepRequest, StepSpec

DAEMON = "/etc/docker/daemon.json"
TOOLKIT = "/etc/nvidia-container-runtime/config.toml"
UP_TO_DATE = "runs with its files"
EMPTY_DAEMON = "{}\n"
KEY_NAMES = {
    "default_runtime": "default-runtime",
    "runtime_path": "runtimes.nvidia.path",
    "generic_resource": "node-generic-resources",
    "memlock_bytes": "default-ulimits.memlock",
    "stack_bytes": "default-ulimits.stack",
    "swarm_resource": "swarm-resource",
}


@dataclass(frozen=True)
class Want:
    """The keys of the two files; null for one that is left alone. Limits in bytes, -1 for none."""

    default_runtime: str
    runtime_path: str
    generic_resource: str | None
    memlock_bytes: int
    stack_bytes: int
    swarm_resource: str | None
    dockerd: str


@dataclass(frozen=True)
class Have:
    """Null for a key that is unset. `dockerd`: whether the one that runs has read its files.
    `unreadable`: why daemon.json could not be read. `other_kinds`: what else offers a GPU."""

    default_runtime: str | None = None
    runtime_path: str | None = None
    generic_resource: str | None = None
    memlock_bytes: int | None = None
    stack_bytes: int | None = None
    swarm_resource: str | None = None
    dockerd: str | None = None
    unreadable: str | None = field(default=None, metadata=OMITTED)
    other_kinds: str | None = field(default=None, metadata=OMITTED)


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


def observe(system: System, request: StepRequest) -> Have:
    """The owned keys of both files."""
    try:
        tree = json_keys.parse(system.read(DAEMON))
    except ValueError as error:
        return Have(unreadable=str(error))
    entries = Manifest(system, "docker_daemon", "").list_for(action.KIND, action.RESTART_DOCKER)
    resources = json_keys.get_items(tree, ["node-generic-resources"], GPU_RESOURCE_PREFIX)
    have = Have(
        default_runtime=daemon_json.find_text(tree, "default-runtime"),
        runtime_path=daemon_json.read_runtime_path(tree),
        generic_resource=", ".join(map(str, as_list(resources[0]))) if resources else None,
        memlock_bytes=daemon_json.read_ulimit(tree, "memlock"),
        stack_bytes=daemon_json.read_ulimit(tree, "stack"),
        swarm_resource=toml_top.get_value(system.read(TOOLKIT), "swarm-resource"),
        other_kinds=daemon_json.list_other_kinds(tree),
    )
    state = _describe_daemon(docker_api.get(system, "/info"), have, action.is_due(entries))
    return replace(have, dockerd=state)


def narrow(observed: Have, want: Want) -> Have:
    if observed.unreadable:
        return observed
    is_ours = daemon_json.is_same_program(observed.runtime_path, want.runtime_path)
    return replace(
        observed,
        runtime_path=want.runtime_path if is_ours else observed.runtime_path,
        generic_resource=want.generic_resource and observed.generic_resource,
        swarm_resource=want.swarm_resource
        and (want.swarm_resource if _has_resource(observed, want) else observed.swarm_resource),
        other_kinds=observed.other_kinds if _lacks_resource(observed, want) else None,
    )


def _lacks_resource(observed: Have, want: Want) -> bool:
    return want.generic_resource not in (None, observed.generic_resource)


def _has_resource(observed: Have, want: Want) -> bool:
    """The NVIDIA runtime reads several names, parted by commas (nvidia-container-toolkit,
    getSwarmResourceEnvvars)."""
    names = (observed.swarm_resource or "").split(",")
    return want.swarm_resource in [name.strip() for name in names]


def _list_differing(have: Have, want: Want) -> list[str]:
    """The names of the fields that differ."""
    names = [member.name for member in fields(want)]
    return [name for name in names if getattr(have, name) != getattr(want, name)]


def compare(have: Have, want: Want) -> list[str]:
    if have.unreadable:
        return [f"{DAEMON} cannot be read: {have.unreadable}"]
    messages = [
        format_change(
            KEY_NAMES[name],
            _format_limit(name, getattr(have, name)),
            _format_limit(name, getattr(want, name)),
        )
        for name in _list_differing(have, want)
        if name in KEY_NAMES and not (name == "generic_resource" and have.other_kinds)
    ]
    if have.other_kinds:
        other = f"{KEY_NAMES['generic_resource']} has {have.other_kinds}, which is another kind"
        messages.append(f"{other}; {want.generic_resource} will be added")
    is_stale = have.dockerd != want.dockerd
    return messages + ([f"dockerd {have.dockerd}, will be restarted"] if is_stale else [])


def get_disturbance(have: Have, want: Want) -> Disturbance:
    """config.toml is read as each container starts; everything else needs a restart of dockerd."""
    differing = [name for name in _list_differing(have, want) if name != "swarm_resource"]
    return "docker" if differing else "none"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    have = narrow(observe(manifest.system, StepRequest()), want)
    if have.unreadable:
        raise StepError(f"{DAEMON} is left as it is: {have.unreadable}. Fix or remove it first.")
    if not _list_differing(have, want):
        return []
    _require_runtime(manifest.system)
    old_text = manifest.system.read(DAEMON)
    edits = plan_daemon_edits(old_text, have, want)
    if edits or have.dockerd != want.dockerd:
        action.mark_due(manifest, action.RESTART_DOCKER)
    if edits:
        _write_daemon(manifest, json_keys.apply_edits(old_text, edits), edits)
    messages = [f"{DAEMON}: {'.'.join(edit['path'])} set" for edit in edits]
    return messages + _edit_toolkit(manifest, want) + _restart_docker(manifest, old_text, edits)


def plan_daemon_edits(text: str | None, have: Have, want: Want) -> list[json_keys.JsonEdit]:
    """What of daemon.json differs, as edits. Pure."""
    tree = json_keys.parse(text)
    runtime = daemon_json.build_runtime(tree, want.runtime_path)
    settings: list[tuple[str, list[str], object, str | None]] = [
        ("runtime_path", ["runtimes", "nvidia"], runtime, None),
        ("default_runtime", ["default-runtime"], want.default_runtime, None),
        ("memlock_bytes", *_build_ulimit("memlock", want.memlock_bytes)),
        ("stack_bytes", *_build_ulimit("stack", want.stack_bytes)),
        (
            "generic_resource",
            ["node-generic-resources"],
            [want.generic_resource],
            GPU_RESOURCE_PREFIX,
        ),
    ]
    differing = _list_differing(have, want)
    return [
        json_keys.plan_edit(tree, path, value, prefix)
        for name, path, value, prefix in settings
        if name in differing
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


def _edit_toolkit(manifest: Manifest, want: Want) -> list[str]:
    text, resource = manifest.system.read(TOOLKIT), _add_resource(manifest.system, want)
    edits = toml_top.plan_edit(text, "swarm-resource", resource) if resource else []
    if not edits:
        return []
    if text is None:
        raise StepError(f"{TOOLKIT} is missing; install nvidia-container-toolkit 1.19 or newer.")
    new_text = lines.apply_edits(text, edits)
    file.write(manifest, file.FileChange(TOOLKIT, new_text, 0o644, file.LINES, edits))
    return [f"{TOOLKIT}: swarm-resource set to {resource}"]


def _add_resource(system: System, want: Want) -> str | None:
    """Beside what others have the runtime read: their services get their GPU by it."""
    present = toml_top.get_value(system.read(TOOLKIT), "swarm-resource")
    if not want.swarm_resource or not present:
        return want.swarm_resource
    is_there = _has_resource(Have(swarm_resource=present), want)
    return present if is_there else f"{present},{want.swarm_resource}"


def _require_runtime(system: System) -> None:
    if system.run(["nvidia-container-runtime", "--version"]).code == COMMAND_NOT_FOUND:
        raise StepError("nvidia-container-runtime is missing; install nvidia-container-toolkit.")


def _describe_daemon(info: object, have: Have, is_due: bool) -> str:
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
    gpus = ", ".join(name for name in running if name.startswith(GPU_RESOURCE_PREFIX)) or None
    is_read = docker_info.get("DefaultRuntime") == (have.default_runtime or "runc")
    is_current = is_read and gpus == have.generic_resource and not is_due
    return UP_TO_DATE if is_current else "has not read its files"


def _build_ulimit(name: str, value: int) -> tuple[list[str], object, None]:
    limit = {"Name": name, "Hard": value, "Soft": value}
    return ["default-ulimits", name], limit, None


def _format_limit(name: str, value: object) -> object:
    return "unlimited" if name.endswith("_bytes") and value == -1 else value


SPEC = StepSpec(
    name="docker_daemon",
    want=Want,
    observed=Have,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    get_disturbance=get_disturbance,
    needs_docker=True,
)
