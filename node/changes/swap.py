"""A swap device or file switched off while the machine runs; fstab is a file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.daemons import get_last_line, run_checked
from node.host.system import System
from node.state.manifest import Manifest, ManifestEntry

KIND = "swap"

# Pages must move back into memory first: 16 GiB at a slow disk's 100 MB/s.
SWAPOFF_LIMIT_S = 170.0


def list_devices(system: System) -> list[str]:
    """Swap in use, by /proc/swaps: a head line, then one line each, path first."""
    lines = (system.read("/proc/swaps") or "").splitlines()[1:]
    return sorted(line.split()[0] for line in lines if line.strip())


def switch_off(manifest: Manifest) -> list[str]:
    messages = []
    for device in list_devices(manifest.system):
        manifest.record(KIND, device, priority=_read_priority(manifest.system, device))
        run_checked(manifest.system, ["swapoff", device], timeout_s=SWAPOFF_LIMIT_S)
        messages.append(f"swap {device} switched off")
    return messages


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    device, priority = entries[0].subject, entries[0].facts["priority"]
    if device in list_devices(manifest.system):
        return []
    # A negative priority is the kernel's own choice and cannot be asked for.
    options = ["--priority", str(priority)] if priority >= 0 else []
    result = manifest.system.run(["swapon", *options, device], timeout_s=30)
    if result.code:
        return [f"swap {device}: still off: {get_last_line(result)}"]
    return [f"swap {device} switched on"]


def _read_priority(system: System, device: str) -> int:
    for line in (system.read("/proc/swaps") or "").splitlines()[1:]:
        fields = line.split()
        if fields and fields[0] == device:
            return int(fields[-1])
    return -1
