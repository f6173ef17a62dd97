"""`sparkform upgrade`: packages and firmware, workers first, the head last, one node at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from node.readings.measure import Unread
from node.updates.running import RunState
from sparkform.commands import options
from sparkform.commands.declared import DeclaredStack, load_declared_stack
from sparkform.commands.upgrade import progress_file
from sparkform.commands.upgrade.rack_access import RackAccess, open_rack
from sparkform.commands.upgrade.runner import PAUSE_S, UpgradeRunner
from sparkform.commands.upgrade.text import format_plan, format_stop
from sparkform.errors import Problem
from sparkform.ssh.target import VerbRequest
from sparkform.upgrade.decide import order_nodes

RENEW_LISTS = VerbRequest("upgrade", {"act": "lists"})
LISTS_TURNS = 120


def run(
    stack: options.StackFile,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done.")] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Update the nodes, or go on with it.")
    ] = False,
) -> None:
    """Held packages stay, nothing is removed, and a node that fails a check stops the rest."""
    options.require(_check_mode(plan, apply))
    declared = load_declared_stack(stack)
    rack = open_rack(declared)
    order = order_nodes([node.name for node in declared.declaration.active_nodes])
    is_done = _apply(declared, rack, order, stack) if apply else _show(declared, rack, order)
    raise typer.Exit(0 if is_done else options.FINDINGS)


def _check_mode(plan: bool, apply: bool) -> Problem | None:
    if plan != apply:
        return None
    got = "both" if plan else "neither"
    return Problem(path="upgrade", message="needs a mode", got=got, allowed="--plan or --apply")


def _show(declared: DeclaredStack, rack: RackAccess, order: tuple[str, ...]) -> bool:
    progress = progress_file.load(declared)
    updates = rack.read_updates(order)
    for line in format_plan(order, updates, rack.read_services(), progress):
        typer.echo(line)
    for node in declared.declaration.nodes:
        if node.away:
            typer.echo(f"{node.name} is away and stays as it is")
    return len(updates) == len(order)


def _apply(declared: DeclaredStack, rack: RackAccess, order: tuple[str, ...], stack: Path) -> bool:
    progress = progress_file.load(declared).retry()
    runner = UpgradeRunner(
        rack, order, progress, lambda known: progress_file.save(declared, known), typer.echo
    )
    if not _renew_lists(rack, runner):
        return False
    if runner.run():
        progress_file.remove(declared)
        return True
    for line in format_stop(runner.progress, order, str(stack)):
        typer.echo(line, err=True)
    return False


def _renew_lists(rack: RackAccess, runner: UpgradeRunner) -> bool:
    """Of the nodes that are not begun, before anything is decided by them."""
    names = [
        name
        for name in runner.order
        if name not in runner.progress.verified and name not in runner.progress.failing
    ]
    if not all(rack.order(name, RENEW_LISTS) for name in names):
        return False
    for _ in range(LISTS_TURNS):
        updates = rack.read_updates(tuple(names))
        states = {name: entry.run for name, entry in updates.items()}
        if not any(isinstance(run, RunState) and run.is_running for run in states.values()):
            return _report_failures(states)
        runner.sleep(PAUSE_S)
    typer.echo("the package lists are still being renewed; run the command again", err=True)
    return False


def _report_failures(states: Mapping[str, RunState | Unread]) -> bool:
    """Whether none failed: by old lists nothing is updated."""
    failures = {
        name: run.failure
        for name, run in states.items()
        if isinstance(run, RunState) and run.failure
    }
    for name, failure in failures.items():
        typer.echo(f"{name}: package lists: {failure}", err=True)
    return not failures
