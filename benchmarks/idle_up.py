"""`up` without a change against pyinfra without a change: `python -m benchmarks.idle_up`.

For 1, 2 and 4 nodes it brings a rack of its own up, deploys to it, and then runs both in turn,
round after round, so that whatever else the machine does meets both. pyinfra keeps the files that
sparkform keeps (docs/speed.md says what else each of them looks at). It runs as root and takes
everything down again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import pyinfra_side
from benchmarks.idle_report import OURS, BenchResult, render_lines
from benchmarks.measure import CommandFailed, MeasuredCommand, Sample, format_load, measure
from benchmarks.our_side import is_unchanged
from sparkrack import lifecycle
from sparkrack.demo.stack import CHECKOUT, RackStack
from sparkrack.host import must
from sparkrack.layout import SimulatedRack
from sparkrack.login import build_ssh_command
from sparkrack.shape import RackFabric, RackShape

FABRICS = {1: RackFabric.NONE, 2: RackFabric.DIRECT, 4: RackFabric.SWITCH}
DEPLOYS = {
    "pyinfra, files": pyinfra_side.FILES_ONLY,
    "pyinfra, all": pyinfra_side.FILES_AND_FACTS,
}
PYINFRA_VERSION = "3.10.0"


@dataclass(frozen=True)
class IdleBench:
    """A rack with a deployed stack, and pyinfra beside it."""

    rack: SimulatedRack
    stack: RackStack
    pyinfra: pyinfra_side.Pyinfra

    @property
    def containers(self) -> list[str]:
        return [node.container for node in self.rack.nodes]

    def run_up(self) -> MeasuredCommand:
        argv = self.stack.build_argv("up", "--yes", "--skip-preview")
        return measure(argv, CHECKOUT, self.stack.build_environment(), self.containers)

    def run_deploy(self, deploys: tuple[str, ...]) -> MeasuredCommand:
        argv = self.pyinfra.argv(deploys)
        return measure(argv, self.stack.folder, os.environ, self.containers)

    def run_unchanged(self, name: str) -> Sample:
        """One run that must change nothing. Raises CommandFailed where it did."""
        run = self.run_up() if name == OURS else self.run_deploy(DEPLOYS[name])
        is_idle = is_unchanged if name == OURS else pyinfra_side.is_unchanged
        if not is_idle(run.output):
            raise CommandFailed(f"{name} changed something:\n{run.output}")
        return run.sample


@contextmanager
def hold_rack(nodes: int) -> Iterator[SimulatedRack]:
    """A rack of this name and number, with a line in each nccl.conf that has to be mended."""
    name = f"bench-{nodes}"
    rack = lifecycle.bring_up(name, RackShape(nodes, FABRICS[nodes]), typer.echo)
    try:
        for node in rack.nodes:
            script = "echo NCCL_IB_DISABLE=1 | sudo tee /etc/nccl.conf"
            must(build_ssh_command(name, node, [script]))
        yield rack
    finally:
        lifecycle.take_down(name)


def deploy_stack(rack: SimulatedRack, folder: Path, program: Path) -> tuple[IdleBench, Sample]:
    """The stack on the rack after its first `up`, and what that took."""
    stack = RackStack(folder, rack.name)
    stack.prepare()
    measure(stack.init_argv(), folder, stack.build_environment(), [])
    stack.declare(rack.name)
    bench = IdleBench(
        rack, stack, pyinfra_side.Pyinfra(program, folder / "pyinfra" / "inventory.py")
    )
    first = bench.run_up().sample
    pyinfra_side.write_inventory(folder / "pyinfra", rack)
    return bench, first


def run_rounds(bench: IdleBench, rounds: int) -> dict[str, list[Sample]]:
    """Every contender once a round; one round before them is not counted."""
    samples: dict[str, list[Sample]] = {name: [] for name in (OURS, *DEPLOYS)}
    for number in range(rounds + 1):
        for name, collected in samples.items():
            sample = bench.run_unchanged(name)
            collected.extend([sample] if number else [])
        typer.echo(f"{bench.rack.name}: round {number} of {rounds}, {format_load()}")
    return samples


def main(
    nodes: Annotated[list[int] | None, typer.Option(help="1, 2, 4; repeatable")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 7,
) -> None:
    """Print medians, ratios and how both grow."""
    results = []
    with tempfile.TemporaryDirectory(prefix="sparkform-bench-") as folder_name:
        folder = Path(folder_name)
        program = pyinfra_side.install(folder / "venv", PYINFRA_VERSION)
        for count in nodes or list(FABRICS):
            with hold_rack(count) as rack:
                bench, first = deploy_stack(rack, folder / rack.name, program)
                results.append(BenchResult(count, first, run_rounds(bench, rounds)))
    typer.echo("\n".join(render_lines(results)))


if __name__ == "__main__":
    typer.run(main)
