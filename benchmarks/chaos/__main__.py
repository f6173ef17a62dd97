"""`python -m benchmarks.chaos --rounds 200 --seed 1`: faults at random on a rack of its own.

It runs as root. A log of the same seed is gone on with. The first round that violates something
ends the run with exit code 1; its evidence lies beside the log.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.chaos.records import read_records
from benchmarks.chaos.rounds import Chaos, run_rounds
from benchmarks.chaos.service import ChaosService
from benchmarks.chaos.summary import render_summary
from benchmarks.chaos.watcher import Watcher
from sparkrack import lifecycle
from sparkrack.demo.stack import RackStack
from sparkrack.layout import SimulatedRack
from sparkrack.prepare import prepare
from sparkrack.shape import RackFabric, RackShape

BOUND_S = 180.0


@contextmanager
def open_chaos(
    rack: SimulatedRack, folder: Path, seed: int, bound_s: float = BOUND_S
) -> Iterator[Chaos]:
    """The service up and watched on a rack that is up."""
    service = ChaosService(rack, RackStack(folder, rack.name))
    service.install(typer.echo)
    watcher = Watcher(service)
    chaos = Chaos(service, watcher, seed, bound_s, typer.echo)
    try:
        chaos.open()
        yield chaos
    finally:
        watcher.close()


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 30,
    seed: int = 1,
    log: Path = Path("chaos.jsonl"),
    nodes: Annotated[int, typer.Option(min=2, max=4)] = 2,
    bound_s: float = BOUND_S,
) -> None:
    """Run what is missing of the rounds, and print availability and a table by fault."""
    done = len(read_records(log))
    name = f"chaos-{seed}"
    prepare(typer.echo)
    fabric = RackFabric.DIRECT if nodes == 2 else RackFabric.SWITCH
    rack = lifecycle.bring_up(name, RackShape(nodes, fabric), typer.echo)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sparkform-chaos-") as folder,
            open_chaos(rack, Path(folder) / "stack", seed, bound_s) as chaos,
        ):
            violations = run_rounds(chaos, range(done, rounds), log)
    finally:
        lifecycle.take_down(name)
    typer.echo(render_summary(read_records(log)))
    for violation in violations:
        typer.echo(f"{violation.invariant}: {violation.detail}", err=True)
    raise typer.Exit(1 if violations else 0)


if __name__ == "__main__":
    typer.run(main)
