"""earlyoom set up so that it ends an engine's processes together, before memory is out.

earlyoom and not systemd-oomd: that one wants swap, without which it may not act in time
(systemd-oomd(8)), and a Spark that swaps hangs. earlyoom looks at available memory, which on a
Spark is the GPU's too, and with -g it ends the process group of its choice: all that an engine of
vLLM runs on the node. The other ranks are ended by the service's supervisor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.changes import action, file, lent_unit, symlink, unit
from node.errors import StepError
from node.host.daemons import run_checked
from node.host.paths import SYSTEMD_UNITS, UNITS_AT_BOOT
from node.host.system import System
from node.host.typed_json import OMITTED
from node.ranks.memory_kills import DROP_IN, UNIT, MemoryKill, read_kills
from node.state.manifest import Manifest
from node.steps import DECLARED, Secrets, StepRequest, StepSpec

PROGRAM = "/usr/bin/earlyoom"
UNIT_FILE = f"/usr/lib/systemd/system/{UNIT}"
LINK = f"{UNITS_AT_BOOT}/{UNIT}"
RUNNING, STOPPED, DISABLED = "running", "stopped", "not started at boot"
PREFER = "^(VLLM::.*|vllm|trtllm-.*)$"
"""Engines by the 15 characters that the kernel keeps of a name: vLLM's processes are VLLM::… (seen
in earlyoom's own line), TensorRT-LLM's program is trtllm-serve."""

AVOID = "^(systemd.*|sshd|dbus-.*|dockerd|containerd.*|docker-.*|nvidia-persiste|NetworkManager)$"
"""Whatever happens, the node is reached and its containers are known."""


@dataclass(frozen=True)
class Want:
    """`min_available_kib`: below it earlyoom acts; null where it is not configured so. `refusal`:
    why it cannot be."""

    min_available_kib: int | None
    unit: str = RUNNING
    refusal: str | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class Observed:
    """`asked`: whether the node looked. `drop_in`: the text of our file. `total_kib`: all memory.
    `kills`: of the last day."""

    asked: bool = False
    is_installed: bool = False
    is_masked: bool = False
    unit: str = STOPPED
    drop_in: str | None = None
    total_kib: int | None = None
    kills: tuple[MemoryKill, ...] = ()


def render_drop_in(min_available_kib: int) -> str:
    """All swap counts as too little, so that memory alone decides. systemd takes $$ for $."""
    arguments = (
        f"-M {min_available_kib},{min_available_kib // 2} -s 100,100 -g -r 3600 "
        f"--prefer '{PREFER}' --avoid '{AVOID}'"
    ).replace("$", "$$")
    return f"""\
# Written by sparkform; changes are lost.
[Service]
ExecStart=
ExecStart={PROGRAM} {arguments}
OOMScoreAdjust=-900
"""


def observe(system: System, request: StepRequest) -> Observed:
    if not request.raw.get(DECLARED):
        return Observed()
    return Observed(
        asked=True,
        is_installed=system.get_state(PROGRAM) is not None,
        is_masked=system.read_link(f"{SYSTEMD_UNITS}/{UNIT}") == "/dev/null",
        unit=_observe_unit(system),
        drop_in=system.read(DROP_IN),
        total_kib=_read_total_kib(system),
        kills=read_kills(system),
    )


def _observe_unit(system: System) -> str:
    if system.read_link(LINK) is None:
        return DISABLED
    return RUNNING if unit.is_active(system, UNIT) else STOPPED


def _read_total_kib(system: System) -> int | None:
    for line in (system.read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1])
    return None


def narrow(observed: Observed, want: Want) -> Want:
    limit_kib = want.min_available_kib or 0
    is_ours = observed.drop_in == render_drop_in(limit_kib)
    return Want(limit_kib if is_ours else None, observed.unit, find_refusal(observed, limit_kib))


def find_refusal(observed: Observed, limit_kib: int) -> str | None:
    if not observed.is_installed:
        return (
            "host.memoryGuard.earlyoom: earlyoom is not installed; `sudo apt install earlyoom` on "
            "the node, or earlyoom: false"
        )
    if observed.is_masked:
        return (
            "host.memoryGuard.earlyoom: its unit is masked; `sudo systemctl unmask earlyoom` on "
            "the node, or earlyoom: false"
        )
    if observed.total_kib is not None and limit_kib >= observed.total_kib:
        gib = observed.total_kib / 1024**2
        return (
            "host.memoryGuard.minAvailableGib: is all of the node's memory (got "
            f"{limit_kib / 1024**2:g}); allowed: less than {gib:.1f}"
        )
    return None


def find_refusals(have: Want, want: Want) -> list[str]:
    return [have.refusal] if have.refusal else []


def compare(have: Want, want: Want) -> list[str]:
    if have.refusal:
        return [have.refusal]
    if have.min_available_kib != want.min_available_kib:
        return ["earlyoom has other settings, will be set up and started"]
    return [] if have.unit == want.unit else [f"earlyoom is {have.unit}, will be started"]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system, limit_kib = manifest.system, want.min_available_kib or 0
    have = narrow(observe(system, StepRequest(raw={DECLARED: True})), want)
    if have.refusal:
        raise StepError(have.refusal)
    if have == want:
        return []
    lent_unit.record(manifest, UNIT)
    lines = []
    if have.min_available_kib is None:
        # One that ran with the old settings would look like one that runs with the new.
        run_checked(system, ["systemctl", "stop", UNIT], timeout_s=lent_unit.LIMIT_S)
        action.mark_due(manifest, action.RELOAD_SYSTEMD)
        file.write(manifest, file.FileChange(DROP_IN, render_drop_in(limit_kib)))
        lines.append(f"{DROP_IN}: written")
    if system.read_link(LINK) is None:
        lines += symlink.ensure(manifest, LINK, UNIT_FILE)
    lines += action.perform_due(manifest, action.RELOAD_SYSTEMD)
    lent_unit.restart(system, UNIT)
    return [*lines, f"{UNIT}: started"]


SPEC = StepSpec(
    name="earlyoom",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    find_refusals=find_refusals,
)
