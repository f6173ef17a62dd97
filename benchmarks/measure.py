"""One command, measured: wall time, processor time of everything it started, and of the nodes."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from node.host.paths import DOCKER_SOCKET
from node.host.system import System

NANOSECONDS = 1e9
RUN_LIMIT_S = 600.0


@dataclass(frozen=True)
class Sample:
    """Seconds. `control_s` is user and system time of the command and of all that it waited for;
    `nodes_s` that of all simulated nodes together while it ran."""

    wall_s: float
    control_s: float
    nodes_s: float


@dataclass(frozen=True)
class MeasuredCommand:
    """What a command printed, and what it took."""

    output: str
    sample: Sample


class CommandFailed(Exception):
    """A command that is measured did not do its work. The message holds the end of its output."""


def measure(
    argv: Sequence[str], folder: Path, environment: Mapping[str, str], containers: Sequence[str]
) -> MeasuredCommand:
    """Run it once. Raises CommandFailed where it does not end with 0."""
    nodes_s, control_s, started = (
        get_nodes_cpu_s(containers),
        get_children_cpu_s(),
        time.monotonic(),
    )
    completed = subprocess.run(
        argv,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_LIMIT_S,
    )
    wall_s = time.monotonic() - started
    if completed.returncode:
        raise CommandFailed(f"`{' '.join(argv[:3])} …` failed:\n{completed.stdout[-3000:]}")
    sample = Sample(wall_s, get_children_cpu_s() - control_s, get_nodes_cpu_s(containers) - nodes_s)
    return MeasuredCommand(completed.stdout, sample)


def get_children_cpu_s() -> float:
    """Of all children that have ended and were waited for, and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def get_nodes_cpu_s(containers: Sequence[str]) -> float:
    """Of all processes of these containers since they started, from Docker's own accounting."""
    return sum(map(_get_container_cpu_s, containers))


def _get_container_cpu_s(container: str) -> float:
    path = f"/containers/{container}/stats?stream=false&one-shot=true"
    body = System().request(DOCKER_SOCKET, "GET", path).body
    return float(body["cpu_stats"]["cpu_usage"]["total_usage"]) / NANOSECONDS  # type: ignore[index]


def compute_medians(samples: Sequence[Sample]) -> Sample:
    """The median of each figure on its own."""
    return Sample(
        median(sample.wall_s for sample in samples),
        median(sample.control_s for sample in samples),
        median(sample.nodes_s for sample in samples),
    )


def format_load() -> str:
    """How busy this machine is: the load of the last minute over its processors."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
