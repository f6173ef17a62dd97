"""A swap device or file switched off while the machine runs; fstab is a file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from node.host.daemons import last_words, must
from node.host.system import System
from node.state.manifest import Entry, Journal

KIND = "swap"

# Pages must move back into memory first: 16 GiB at a slow disk's 100 MB/s.
LIMIT_S = 170.0


def devices(system: System) -> list[str]:
    """Swap in use, by /proc/swaps: a head line, then one line each, path first."""
    lines = (system.read("/proc/swaps") or "").splitlines()[1:]
    return sorted(line.split()[0] for line in lines if line.strip())


def switch_off(journal: Journal) -> list[str]:
    done = []
    for device in devices(journal.system):
        journal.record(KIND, device, priority=_priority(journal.system, device))
        must(journal.system, ["swapoff", device], timeout_s=LIMIT_S)
        done.append(f"swap {device} switched off")
    return done


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    device, priority = entries[0].subject, entries[0].facts["priority"]
    if device in devices(journal.system):
        return []
    # A negative priority is the kernel's own choice and cannot be asked for.
    chosen = ["--priority", str(priority)] if priority >= 0 else []
    done = journal.system.run(["swapon", *chosen, device], timeout_s=30)
    if done.code:
        return [f"swap {device}: left off, because swapon says: {last_words(done)}"]
    return [f"swap {device} switched on"]


def _priority(system: System, device: str) -> int:
    for line in (system.read("/proc/swaps") or "").splitlines()[1:]:
        fields = line.split()
        if fields and fields[0] == device:
            return int(fields[-1])
    return -1
