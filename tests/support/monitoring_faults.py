"""Faults of a node that monitoring is to see, each with the command that ends it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.support.rack import RackHandle

FAKES = "/run/fake"


@dataclass(frozen=True)
class NodeFault:
    """`alerts`: those that it brings about."""

    alerts: frozenset[str]
    cause: str
    mend: str


def build_fake(path: str, script: str) -> str:
    """Another file in the place of one of the kernel's; `script` turns its text into the fake's."""
    fake = f"{FAKES}{path}"
    return (
        f"sudo mkdir -p $(dirname {fake}) && sed '{script}' {path} | sudo tee {fake} > /dev/null"
        f" && sudo mount --bind {fake} $(readlink -f {path})"
    )


def build_undo(path: str) -> str:
    return f"sudo umount $(readlink -f {path})"


MEMINFO = (
    "s/^MemAvailable:.*/MemAvailable: 1048576 kB/; s/^SwapTotal:.*/SwapTotal: 16777212 kB/; "
    "s/^SwapFree:.*/SwapFree: 1048576 kB/; /^Cma/d; "
    "$aCmaTotal: 0 kB\\nCmaFree: 4187904 kB"
)
MEMORY = NodeFault(
    frozenset({"MemoryLow", "SwapUsed", "ContiguousMemoryBroken"}),
    build_fake("/proc/meminfo", MEMINFO),
    build_undo("/proc/meminfo"),
)
COUNTERS = "/sys/class/infiniband/rocep1s0f0/ports/1/hw_counters"
COUNT_ERRORS = f"sudo mkdir -p {COUNTERS}; echo %d | sudo tee {COUNTERS}/packet_seq_err"
LINK_ERRORS = NodeFault(frozenset({"LinkErrors"}), COUNT_ERRORS % 500, "true")
SPEED = "/sys/class/net/enP2p1s0f0np0/speed"
LINK_SPEED = NodeFault(
    frozenset({"LinkSlow"}), build_fake(SPEED, "s/.*/100000/"), build_undo(SPEED)
)
XID = NodeFault(
    frozenset({"GpuError"}),
    "echo 'NVRM: Xid (PCI:000f:01:00): 79, pid=1' | sudo systemd-cat -t kernel",
    "true",
)
JOURNALCTL = "/usr/bin/journalctl"
JOURNAL = NodeFault(
    frozenset({"ReadingFailed"}),
    f"sudo mkdir -p {FAKES} && printf '#!/bin/sh\\nexit 3\\n' | sudo tee {FAKES}/journalctl"
    f" && sudo chmod 0755 {FAKES}/journalctl && sudo mount --bind {FAKES}/journalctl {JOURNALCTL}",
    build_undo(JOURNALCTL),
)
OOM = "/proc/vmstat"
KILLED_PROCESS = NodeFault(
    frozenset({"ProcessKilledForMemory"}),
    build_fake(OOM, "s/^oom_kill .*/oom_kill 900000/"),
    "true",
)
"""It stays: a counter that falls is one that began anew."""

OF_WORKER = (MEMORY, LINK_ERRORS, LINK_SPEED, XID, KILLED_PROCESS)


def write_gpu(rack: RackHandle, host: str, **values: object) -> None:
    """What nvidia-smi shows on a node."""
    script = (
        "import json, pathlib, sys\n"
        "path = pathlib.Path('/etc/rack/gpu.json')\n"
        "document = json.loads(path.read_text()) | json.loads(sys.argv[1])\n"
        "path.write_text(json.dumps(document))\n"
    )
    rack.must(host, f"sudo python3 -c \"{script}\" '{json.dumps(values)}'")


BUSY_AND_HELD = {
    "utilization_percent": 96,
    "power_draw_w": 11.0,
    "temperature_c": 95,
    "clock_sm_mhz": 507,
    "clock_event_reasons": 0x40,
}
IDLE = {
    "utilization_percent": 0,
    "power_draw_w": 3.74,
    "temperature_c": 36,
    "clock_sm_mhz": 2418,
    "clock_event_reasons": 1,
}
GPU_ALERTS = frozenset({"GpuThrottled", "GpuHot", "GpuClockStuckLow", "GpuBusyWithoutPower"})
