"""Kernels that a native service's vLLM must not choose, because they do not run on sm_121.

They stand in a drop-in of the unit as vLLM's own switch, VLLM_DISABLED_KERNELS (vllm/envs.py): no
file of vLLM is changed, and a value of the user's own, which the unit's environment file holds,
wins (systemd.exec(5), EnvironmentFile=).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from node.changes import action, file
from node.host.differences import format_change
from node.host.paths import SYSTEMD_UNITS
from node.host.system import System
from node.state.manifest import Manifest
from node.steps import Disturbance, Secrets, StepRequest, StepSpec

KERNEL_VARIABLE = "VLLM_DISABLED_KERNELS"
DROP_IN_NAME = "60-sparkform-kernels.conf"


@dataclass(frozen=True)
class Want:
    """`kernels`: class names; null where the unit has no such drop-in."""

    service: str
    unit: str
    kernels: tuple[str, ...] | None


@dataclass(frozen=True)
class Observed:
    """The kernels that the drop-in of the asked unit switches off; null without one."""

    kernels: tuple[str, ...] | None = None


def observe(system: System, request: StepRequest) -> Observed:
    text = system.read(_get_drop_in_path(request.unit)) if request.unit else None
    return Observed(None if text is None else _parse_kernels(text))


def narrow(observed: Observed, want: Want) -> Want:
    return replace(want, kernels=observed.kernels)


def compare(have: Want, want: Want) -> list[str]:
    if have.kernels == want.kernels:
        return []
    return [format_change(KERNEL_VARIABLE, have.kernels, want.kernels)]


def get_disturbance(have: Want, want: Want) -> Disturbance:
    """vLLM chooses its kernels as it starts."""
    return "none" if have.kernels == want.kernels else "host"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    path, text = _get_drop_in_path(want.unit), _render_drop_in(want.kernels or ())
    if manifest.system.read(path) == text:
        return action.perform_due(manifest, action.RELOAD_SYSTEMD)
    action.mark_due(manifest, action.RELOAD_SYSTEMD)
    file.write(manifest, file.FileChange(path, text))
    return [f"{path}: written", *action.perform_due(manifest, action.RELOAD_SYSTEMD)]


def _get_drop_in_path(unit: str) -> str:
    return f"{SYSTEMD_UNITS}/{unit}.d/{DROP_IN_NAME}"


def _render_drop_in(kernels: tuple[str, ...]) -> str:
    setting = f"{KERNEL_VARIABLE}={','.join(kernels)}"
    return f"# Written by sparkform; changes are lost.\n[Service]\nEnvironment={setting}\n"


def _parse_kernels(text: str) -> tuple[str, ...]:
    prefix = f"Environment={KERNEL_VARIABLE}="
    values = [line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)]
    return tuple(values[-1].split(",")) if values else ()


SPEC = StepSpec(
    name="native_guard",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    get_disturbance=get_disturbance,
)
