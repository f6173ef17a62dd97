"""Writes TOML as the container toolkit does: sorted keys, no indentation, headers always.

Form: api/config/v1/toml_test.go of NVIDIA/nvidia-container-toolkit at tag v1.19.0. Like the real
tool it drops comments, except that it writes the defaults of keys that nobody set as comments.
"""

from __future__ import annotations

import json
from typing import Any

COMMENTED_DEFAULTS: dict[str, Any] = {
    "swarm-resource": "DOCKER_RESOURCE_GPU",
    "accept-nvidia-visible-devices-envvar-when-unprivileged": True,
    "accept-nvidia-visible-devices-as-volume-mounts": False,
    "nvidia-container-cli.root": "/run/nvidia/driver",
    "nvidia-container-cli.path": "/usr/bin/nvidia-container-cli",
    "nvidia-container-cli.debug": "/var/log/nvidia-container-toolkit.log",
    "nvidia-container-cli.ldcache": "/etc/ld.so.cache",
    "nvidia-container-cli.no-cgroups": False,
    "nvidia-container-cli.user": "root:video",
    "nvidia-container-runtime.debug": "/var/log/nvidia-container-runtime.log",
}


def dump(tree: dict[str, Any]) -> str:
    """The text of a config tree."""
    return _render_table(tree, "").lstrip("\n")


def set_key(tree: dict[str, Any], key: str, value: object) -> None:
    """Set a dotted key, making the tables on the way."""
    *tables, name = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
    tree[name] = value


def _render_table(tree: dict[str, Any], path: str) -> str:
    lines = {
        key: f"{key} = {_render_value(value)}"
        for key, value in tree.items()
        if not isinstance(value, dict)
    }
    prefix = f"{path}." if path else ""
    for full, default in COMMENTED_DEFAULTS.items():
        table, _, key = full.rpartition(".")
        if table == path and key not in tree:
            lines[key] = f"#{key} = {_render_value(default)}"
    header = f"\n[{path}]\n" if path else ""
    text = header + "".join(lines[key] + "\n" for key in sorted(lines))
    tables = sorted(key for key, value in tree.items() if isinstance(value, dict))
    return text + "".join(_render_table(tree[key], prefix + key) for key in tables)


def _render_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_render_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
