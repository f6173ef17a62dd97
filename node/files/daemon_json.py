"""What dockerd's daemon.json says of runtimes, limits and GPUs, read as dockerd reads it. Pure.

Below the top level dockerd takes keys in any case, as Go's encoding/json does for every struct.
"""

from __future__ import annotations

from collections.abc import Mapping

from node.files import json_keys
from node.host.plain import as_list, as_mapping

GPU_RESOURCE_PREFIX = "NVIDIA_GPU="
SEARCHED_FOLDERS = [
    f"{prefix}/{folder}" for prefix in ("/usr/local", "/usr", "") for folder in ("sbin", "bin")
]
"""systemd's own PATH for units (systemd.exec(5))."""


def find_value(tree: Mapping[str, object], *path: str) -> object:
    match = json_keys.get_items(dict(tree), path)
    return match[0] if match else None


def find_text(tree: Mapping[str, object], *path: str) -> str | None:
    value = find_value(tree, *path)
    return None if value is None else str(value)


def read_runtime_path(tree: Mapping[str, object]) -> str | None:
    runtime = as_mapping(find_value(tree, "runtimes", "nvidia"))
    return next((str(value) for key, value in runtime.items() if key.lower() == "path"), None)


def build_runtime(tree: Mapping[str, object], path: str) -> object:
    """The runtime as it is, with this path."""
    runtime = find_value(tree, "runtimes", "nvidia")
    old_runtime = runtime if isinstance(runtime, dict) else {"args": []}
    others = {key: value for key, value in old_runtime.items() if key.lower() != "path"}
    return {**others, "path": path}


def is_same_program(path: str | None, name: str) -> bool:
    """dockerd looks a bare name up in its PATH, so a full path of that name is the same runtime."""
    folder, _, last = (path or "").rpartition("/")
    return last == name and folder in ("", *SEARCHED_FOLDERS)


def read_ulimit(tree: Mapping[str, object], name: str) -> int | None:
    """The limit where soft and hard agree; a soft limit below the hard one counts as unset."""
    limit = {
        key.lower(): value
        for key, value in as_mapping(find_value(tree, "default-ulimits", name)).items()
    }
    if limit.get("hard") != limit.get("soft"):
        return None
    value = limit.get("hard")
    return value if isinstance(value, int) else None


def list_other_kinds(tree: Mapping[str, object]) -> str | None:
    """A GPU under another kind than ours, which no service of ours asks for."""
    resources = map(str, as_list(find_value(tree, "node-generic-resources")))
    others = [name for name in resources if "=GPU-" in name and not _is_ours(name)]
    return ", ".join(others) or None


def _is_ours(resource: str) -> bool:
    return resource.startswith(GPU_RESOURCE_PREFIX)
