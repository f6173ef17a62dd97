"""The page cache, which CUDA on a Spark does not count as free: dropped, and free memory joined.

A load that fills it leaves no free block of 2 MiB, and the driver's next allocation fails:
https://github.com/tonyd2wild/GLM-5.3-Flash-NVFP4-DFlash2-2x-DGX-Spark/pull/19, whose guard drops
and compacts below 8 GiB of MemFree from launch to ready.
"""

from __future__ import annotations

from node.host.system import System

DROP_CACHES = "/proc/sys/vm/drop_caches"
CLEAN_PAGES = "1"
"""Pages that are as on the disk (kernel, admin-guide/sysctl/vm)."""

COMPACT_MEMORY = "/proc/sys/vm/compact_memory"


def drop(system: System) -> str | None:
    """Why it was not dropped."""
    return _write_knob(system, DROP_CACHES, CLEAN_PAGES)


def compact(system: System) -> str | None:
    """Free pages are moved together into large blocks. A kernel may be built without this."""
    return _write_knob(system, COMPACT_MEMORY, "1")


def _write_knob(system: System, path: str, value: str) -> str | None:
    try:
        system.path(path).write_text(value)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None


def read_free_kib(system: System) -> int | None:
    """MemFree of /proc/meminfo (proc(5)); None where it does not say."""
    for line in (system.read("/proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        cells = value.split()
        if name == "MemFree" and cells and cells[0].isdigit():
            return int(cells[0])
    return None
