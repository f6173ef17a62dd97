"""Kernels that a native service's vLLM must not choose, because they do not run on sm_121.

want: {"service", "unit", "kernels": [class name]}. They stand in a drop-in of the unit as vLLM's
own switch, VLLM_DISABLED_KERNELS (vllm/envs.py): no file of vLLM is changed, and a value of the
user's own, which the unit's environment file holds, wins (systemd.exec(5), EnvironmentFile=).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import action, file
from node.host.differences import changed
from node.host.system import System
from node.state.manifest import Journal

SWITCH = "VLLM_DISABLED_KERNELS"
UNITS = "/etc/systemd/system"
NAME = "60-sparkform-kernels.conf"
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """The kernels that the drop-in of the asked unit switches off; null without one."""
    unit = request.get("unit")
    text = system.read(_path(str(unit))) if unit else None
    return {"kernels": None if text is None else _kernels(text)}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return {**want, "kernels": seen.get("kernels")}


def differences(have: Json, want: Json) -> list[str]:
    same = have["kernels"] == want["kernels"]
    return [] if same else [changed(SWITCH, have["kernels"], want["kernels"])]


def disturbs(have: Json, want: Json) -> str:
    """vLLM chooses its kernels as it starts."""
    return "none" if have["kernels"] == want["kernels"] else "host"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    path, text = _path(want["unit"]), _text(want["kernels"])
    if journal.system.read(path) != text:
        action.mark(journal, action.RELOAD_SYSTEMD)
        file.write(journal, file.Change(path, text))
        return [f"{path}: written", *action.settle(journal, action.RELOAD_SYSTEMD)]
    return action.settle(journal, action.RELOAD_SYSTEMD)


def _path(unit: str) -> str:
    return f"{UNITS}/{unit}.d/{NAME}"


def _text(kernels: list[str]) -> str:
    named = ",".join(kernels)
    return f"# Written by sparkform; changes are lost.\n[Service]\nEnvironment={SWITCH}={named}\n"


def _kernels(text: str) -> list[str]:
    start = f"Environment={SWITCH}="
    found = [line.removeprefix(start) for line in text.splitlines() if line.startswith(start)]
    return found[-1].split(",") if found else []
