"""How long one look at all nodes takes: `python -m benchmarks.observe_rack STACK.yaml`.

The stack file is what `python -m sparkrack stack` prints. Wall time of `observe` with everything
that a preview pays for (key, login, program sent, facts read, answer checked); the import of the
SSH library is paid once and shown apart. The goal is issue-level: 3 nodes of the rack below 1.5 s.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import yaml

from sparkform.report.rack_report import Observation
from sparkform.ssh.observe import observe
from sparkform.ssh.target import Target

GOAL_S = 1.5


def load_targets(stack: Path) -> list[Target]:
    """The nodes of a stack file that names a host key for each."""
    cluster = yaml.safe_load(stack.read_text())["config"]["sparkform:cluster"]
    return [build_target(cluster, node) for node in cluster["nodes"]]


def build_target(cluster: dict[str, Any], node: dict[str, Any]) -> Target:
    return Target(
        name=node["name"],
        host=node["host"],
        port=node.get("port", 22),
        user=cluster["user"],
        host_key=node["hostKey"],
        identity_file=Path(cluster["identityFile"]),
    )


def time_observe(nodes: list[Target]) -> tuple[float, Observation]:
    started = time.perf_counter()
    observation = observe(nodes)
    return time.perf_counter() - started, observation


def render_lines(nodes: list[Target], runs: int) -> Iterator[str]:
    first_s, _ = time_observe(nodes)
    yield f"first run, with the import of the SSH library: {first_s:.2f} s"
    walls = []
    for _ in range(runs):
        wall_s, observation = time_observe(nodes)
        walls.append(wall_s)
        durations = ", ".join(
            f"{name} {node.duration_s:.2f}" for name, node in observation.nodes.items()
        )
        yield f"{wall_s:.2f} s  ({durations})"
        yield from (f"  {name}: {error.what}" for name, error in observation.errors.items())
    median_s = statistics.median(walls)
    verdict = "within" if median_s < GOAL_S else "above"
    yield f"{len(nodes)} nodes: median {median_s:.2f} s of {runs} runs, {verdict} {GOAL_S} s"


def main(stack: Path, runs: int = 5) -> None:
    """Print every run and the median."""
    for text in render_lines(load_targets(stack), runs):
        typer.echo(text)


if __name__ == "__main__":
    typer.run(main)
