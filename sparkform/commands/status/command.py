"""`sparkform status`: one look, or a screen that is kept up to date."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Annotated

import typer

from sparkform.commands import options
from sparkform.commands.declared import load_declared_stack
from sparkform.commands.json_output import print_json
from sparkform.commands.live_status import LiveRack, read_rack, watch_rack
from sparkform.commands.status.text import build_screen
from sparkform.commands.tables import create_console
from sparkform.errors import Problem


def run(
    stack: options.StackFile,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show changes as they come, until Ctrl-C.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Nothing is changed; each node is asked once."""
    if watch and not as_json and not sys.stdout.isatty():
        message = "stdout is not a terminal"
        options.require(Problem(path="--watch", message=message, remedy="add --json"))
    rack = read_rack(load_declared_stack(stack))
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(print_changes(rack) if as_json else show_changes(rack))
        raise typer.Exit
    status = rack.build_status()
    if as_json:
        print_json(status)
    else:
        create_console().print(build_screen(status))
    raise typer.Exit(0 if status.is_healthy else options.FINDINGS)


async def print_changes(rack: LiveRack) -> None:
    """A document a line."""
    async with contextlib.aclosing(watch_rack(rack)) as statuses:
        async for status in statuses:
            print(json.dumps(status.to_json()), flush=True)


async def show_changes(rack: LiveRack) -> None:
    from rich.live import Live

    with Live(console=create_console(), screen=True, auto_refresh=False) as live:
        async with contextlib.aclosing(watch_rack(rack)) as statuses:
            async for status in statuses:
                live.update(build_screen(status), refresh=True)
