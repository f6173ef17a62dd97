"""What collector and node_exporter cost a node: share of a core and memory, over some minutes.

python -m benchmarks.telemetry_cost [--seconds 120] [--interval 15]
    the collector on this machine, out of a packed agent, with the nvidia-smi that it starts
python -m benchmarks.telemetry_cost --pid PID [--pid PID]
    programs that run already, with all that they started
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkform.ssh.agent import build_zipapp

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
CORE_SHARE_LIMIT, MEMORY_LIMIT_MIB = 0.01, 40.0
STAND_IN = """#!/bin/sh
# A stand-in for nvidia-smi, which this machine has not: it costs next to nothing.
echo '0, 0, 3.74, 36, 2418, 3003, 0x0000000000000001, NVIDIA GB10'
"""
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from node.host.system import System
from node.verbs import collect
collect.main(System(Path(sys.argv[2])), [], "")
"""


@dataclass(frozen=True)
class ProcessCost:
    """Of one process: its name, seconds of a core since its start, and its memory."""

    name: str
    core_s: float
    resident_mib: float
    proportional_mib: float


def read_cost(pid: int) -> ProcessCost:
    name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition(" (")[2].rpartition(") ")
    fields = rest.split()
    # utime, stime, and those of children that ended (proc(5)).
    ticks = sum(int(field) for field in fields[11:15])
    return ProcessCost(
        name, ticks / TICKS_A_SECOND, *(_read_mib(pid, key) for key in ("Rss", "Pss"))
    )


def _read_mib(pid: int, key: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:"))


def list_tree(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in list_tree(int(child)))]


def measure(pids: Sequence[int], seconds: float) -> dict[int, tuple[ProcessCost, float]]:
    """By process: what it costs at the end, and its share of a core meanwhile."""
    before = {pid: read_cost(pid).core_s for root in pids for pid in list_tree(root)}
    started_s = time.monotonic()
    time.sleep(seconds)
    passed_s = time.monotonic() - started_s
    # What a child cost that ended meanwhile is its parent's.
    living = [pid for root in pids for pid in list_tree(root) if pid in before]
    after = {pid: read_cost(pid) for pid in living}
    return {pid: (cost, (cost.core_s - before[pid]) / passed_s) for pid, cost in after.items()}


def start_collector(folder: Path, interval_s: int) -> subprocess.Popen[bytes]:
    """As the unit starts it, but for its root: the machine's own /proc and /sys below a folder."""
    root = folder / "root"
    for name in ("proc", "sys"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"/{name}")
    config = {"interval_s": interval_s, "links": [], "disks": {"models": "/models"}}
    (root / "var/lib/sparkform").mkdir(parents=True)
    (root / "var/lib/sparkform/telemetry.json").write_text(json.dumps(config))
    (root / "run/sparkform-telemetry").mkdir(parents=True)
    agent = folder / "node.pyz"
    agent.write_bytes(build_zipapp())
    path = os.environ["PATH"]
    if not shutil.which("nvidia-smi"):
        (folder / "nvidia-smi").write_text(STAND_IN)
        (folder / "nvidia-smi").chmod(0o755)
        path = f"{folder}:{path}"
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(agent), str(root)], env={**os.environ, "PATH": path}
    )


def print_costs(costs: dict[int, tuple[ProcessCost, float]]) -> bool:
    """Whether all of them together are within the limits."""
    for cost, share in costs.values():
        print(
            f"{cost.name:<20} {share:8.3%} of a core  {cost.resident_mib:6.1f} MiB resident"
            f"  {cost.proportional_mib:6.1f} MiB proportional"
        )
    share = sum(share for _, share in costs.values())
    memory_mib = sum(cost.proportional_mib for cost, _ in costs.values())
    print(f"{'together':<20} {share:8.3%} of a core  {memory_mib:6.1f} MiB proportional")
    return share <= CORE_SHARE_LIMIT and memory_mib <= MEMORY_LIMIT_MIB


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--interval", type=int, default=15)
    parser.add_argument("--pid", type=int, action="append", default=[])
    options = parser.parse_args(arguments)
    if options.pid:
        return 0 if print_costs(measure(options.pid, options.seconds)) else 1
    with tempfile.TemporaryDirectory() as name:
        collector = start_collector(Path(name), options.interval)
        try:
            time.sleep(5)
            return 0 if print_costs(measure([collector.pid], options.seconds)) else 1
        finally:
            for pid in reversed(list_tree(collector.pid)):
                os.kill(pid, 15)
            collector.wait()


if __name__ == "__main__":
    sys.exit(main())
