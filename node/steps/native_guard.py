"""Kernels that a native service's vLLM must not choose, because they do not run on sm_121.

want: {"service", "unit", "kernels": [class name]}. They stand in a drop-in of the unit as vLLM's
own switch, VLLM_DISABLED_KERNELS (vllm/envs.py): no file of vLLM is changed, and a value of the
user's own, which the unit's environment file holds, wins (systemd.exec(5), EnvironmentFile=).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import action, file
from node.host.differences import format_change
from node.host.system import System
from node.state.manifest import Manifest

KERNEL_VARIABLE = "VLLM_DISABLED_KERNELS"
UNITS = "/etc/systemd/system"
NAME = "60-sparkform-kernels.conf"
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """The kernels that the drop-in of the asked unit switches off; null without one."""
    unit = request.get("unit")
    text = system.read(_get_drop_in_path(str(unit))) if unit else None
    return {"kernels": None if text is None else _parse_kernels(text)}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return {**want, "kernels": observed.get("kernels")}


def compare(have: Json, want: Json) -> list[str]:
    is_same = have["kernels"] == want["kernels"]
    return [] if is_same else [format_change(KERNEL_VARIABLE, have["kernels"], want["kernels"])]


def get_disturbance(have: Json, want: Json) -> str:
    """vLLM chooses its kernels as it starts."""
    return "none" if have["kernels"] == want["kernels"] else "host"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    path, text = _get_drop_in_path(want["unit"]), _render_drop_in(want["kernels"])
    if manifest.system.read(path) != text:
        action.mark_due(manifest, action.RELOAD_SYSTEMD)
        file.write(manifest, file.FileChange(path, text))
        return [f"{path}: written", *action.perform_due(manifest, action.RELOAD_SYSTEMD)]
    return action.perform_due(manifest, action.RELOAD_SYSTEMD)


def _get_drop_in_path(unit: str) -> str:
    return f"{UNITS}/{unit}.d/{NAME}"


def _render_drop_in(kernels: list[str]) -> str:
    kernel_list = ",".join(kernels)
    return (
        f"# Written by sparkform; changes are "
        f"lost.\n[Service]\nEnvironment={KERNEL_VARIABLE}={kernel_list}\n"
    )


def _parse_kernels(text: str) -> list[str]:
    prefix = f"Environment={KERNEL_VARIABLE}="
    values = [line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)]
    return values[-1].split(",") if values else []
