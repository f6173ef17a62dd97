"""Shared memory that a killed engine leaves in /dev/shm, where it would stay until a reboot.

A rank that shares the node's IPC keeps hundreds of megabytes there (seen with vLLM 0.32: 192 MB a
start). Removed is only what has the name of an engine's segment, came into being during its run,
and is mapped and opened by no process any more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from node.host.system import System

FOLDER = "/dev/shm"
NAMES = re.compile(
    r"psm_[0-9a-f]{8}"  # Python, multiprocessing/shared_memory.py
    r"|sem\.mp-[a-z0-9_]{8}"  # Python, multiprocessing/synchronize.py
    r"|nccl-[A-Za-z0-9]{6}"  # NCCL, src/misc/shmutils.cc
    r"|torch_[0-9]+_[0-9]+_[0-9]+"  # PyTorch, ATen/MapAllocator.cpp
)
Inode = tuple[int, int, int]
"""Major and minor number of the device, and the inode."""


def free(system: System, since_s: float) -> int:
    """Remove what came after `since_s` (Unix time) and is used by no process. Bytes freed."""
    segments = dict(_find_segments(system, since_s))
    used = set(_list_used_inodes(system)) if segments else set()
    unused = [name for name, (inode, _) in segments.items() if inode not in used]
    for name in unused:
        system.remove(f"{FOLDER}/{name}")
    return sum(segments[name][1] for name in unused)


def _find_segments(system: System, since_s: float) -> Iterator[tuple[str, tuple[Inode, int]]]:
    for name in system.list_names(FOLDER):
        if not NAMES.fullmatch(name):
            continue
        try:
            status = system.path(f"{FOLDER}/{name}").stat()
        except FileNotFoundError:
            continue
        if status.st_mtime >= since_s:
            yield name, (_get_inode(status), status.st_blocks * 512)


def _get_inode(status: os.stat_result) -> Inode:
    return os.major(status.st_dev), os.minor(status.st_dev), status.st_ino


def _list_used_inodes(system: System) -> Iterator[Inode]:
    """By maps and open files of every process; one that ends meanwhile uses nothing."""
    for process in filter(str.isdigit, system.list_names("/proc")):
        yield from _list_mapped_inodes(system, process)
        yield from _list_open_inodes(system, process)


def _list_mapped_inodes(system: System, process: str) -> Iterator[Inode]:
    """proc(5): address, permissions, offset, device, inode, path."""
    try:
        lines = (system.read(f"/proc/{process}/maps") or "").splitlines()
    except OSError:
        return
    for line in lines:
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and "/" in parts[5]:
            major, _, minor = parts[3].partition(":")
            yield int(major, 16), int(minor, 16), int(parts[4])


def _list_open_inodes(system: System, process: str) -> Iterator[Inode]:
    folder = f"/proc/{process}/fd"
    try:
        names = system.list_names(folder)
    except OSError:
        return
    for name in names:
        try:
            yield _get_inode(system.path(f"{folder}/{name}").stat())
        except OSError:
            continue
