"""The processes of a rank that serves: one that is gone inside a living rank is a sign, and so is
a compiler that has come.

A worker of TensorRT-LLM is an SSH server, which outlives the engine's process beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from node.host.system import System
from node.ranks.rank import UNIT, Rank

COMPILERS = frozenset(
    ("ninja", "nvcc", "cicc", "ptxas", "cudafe++", "fatbinary", "nvlink", "cc1", "cc1plus")
)
"""What FlashInfer, PyTorch's extensions and Triton start to build a kernel. A first use of one may
take ten minutes without a line (https://github.com/vllm-project/vllm/pull/54529)."""

CGROUPS = "/sys/fs/cgroup"
START_TIME = 19
"""Of /proc/PID/stat (proc(5)), counted behind the name: what tells it from a later one."""


@dataclass(frozen=True)
class EngineProcess:
    name: str
    started: str


def list_processes(system: System, rank: Rank) -> dict[int, EngineProcess]:
    """By number: all in the rank's control group but compilers, which end by themselves."""
    group = rank.name if rank.kind == UNIT else rank.id
    found = _find_processes(system, group)
    return {number: process for number, process in found if process.name not in COMPILERS}


def find_lost(system: System, processes: Mapping[int, EngineProcess]) -> dict[int, EngineProcess]:
    """Those that do not run any more."""
    return {
        number: process
        for number, process in processes.items()
        if _read_process(system, number) != process
    }


def has_compiler(system: System, processes: Iterable[int]) -> bool:
    """Whether a compiler runs in the control group of these processes. A group that cannot be read
    has none."""
    texts = (_read(system, f"/proc/{number}/cgroup") or "" for number in processes)
    groups = {line[3:] for text in texts for line in text.splitlines() if line.startswith("0::")}
    members = (
        _read_process(system, int(number))
        for group in groups
        for number in (_read(system, f"{CGROUPS}{group}/cgroup.procs") or "").split()
    )
    return any(process is not None and process.name in COMPILERS for process in members)


def _find_processes(system: System, group: str) -> Iterator[tuple[int, EngineProcess]]:
    for name in filter(str.isdigit, system.list_names("/proc")):
        if group in (_read(system, f"/proc/{name}/cgroup") or ""):
            process = _read_process(system, int(name))
            if process is not None:
                yield int(name), process


def _read_process(system: System, number: int) -> EngineProcess | None:
    """None where it is gone, or only its remains are there."""
    head, _, tail = (_read(system, f"/proc/{number}/stat") or "").rpartition(")")
    fields = tail.split()
    if len(fields) <= START_TIME or fields[0] == "Z":
        return None
    return EngineProcess(head.partition("(")[2], fields[START_TIME])


def _read(system: System, path: str) -> str | None:
    """A process may end while it is read."""
    try:
        return system.read(path)
    except OSError:
        return None
