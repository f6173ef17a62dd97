"""`python -m benchmarks.chaos --rounds 200 --seed 1`: faults at random on a rack of its own.

It runs as root. A log of the same seed is gone on with. The first round that violates something
ends the run, and its evidence lies beside the log. Exit code 1: a round of the log violates
something; 2: a round could not be judged.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.chaos.checker import find_violations
from benchmarks.chaos.records import RoundRecord, read_records
from benchmarks.chaos.rounds import Chaos, require_draws, run_rounds
from benchmarks.chaos.service import ChaosService, RunFailed
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
    missing = range(len(read_records(log)), rounds)
    try:
        if missing:
            _run_missing(missing, seed, log, nodes, bound_s)
    except RunFailed as failure:
        typer.echo(f"not judged: {failure}", err=True)
        raise typer.Exit(2) from None
    finally:
        typer.echo(render_summary(read_records(log)))
    broken = [entry for record in read_records(log) for entry in _describe(record, bound_s)]
    for line in broken:
        typer.echo(line, err=True)
    raise typer.Exit(1 if broken else 0)


def _run_missing(missing: range, seed: int, log: Path, nodes: int, bound_s: float) -> None:
    """A rack that a killed run has left is another stack's: it goes first."""
    name = f"chaos-{seed}"
    prepare(typer.echo)
    lifecycle.take_down(name)
    fabric = RackFabric.DIRECT if nodes == 2 else RackFabric.SWITCH
    rack = lifecycle.bring_up(name, RackShape(nodes, fabric), typer.echo)
    try:
        require_draws(read_records(log), seed, [node.hostname for node in rack.nodes])
        with (
            tempfile.TemporaryDirectory(prefix="sparkform-chaos-") as folder,
            open_chaos(rack, Path(folder) / "stack", seed, bound_s) as chaos,
        ):
            run_rounds(chaos, missing, log)
    finally:
        lifecycle.take_down(name)


def _describe(record: RoundRecord, bound_s: float) -> list[str]:
    return [
        f"round {record.number}, {record.fault.name} {record.fault.node}: {broken.invariant}: "
        f"{broken.detail}"
        for broken in find_violations(record, bound_s)
    ]


if __name__ == "__main__":
    typer.run(main)
