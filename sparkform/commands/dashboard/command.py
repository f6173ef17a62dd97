"""`sparkform dashboard`: a live page on 127.0.0.1 with what `status` shows, and its past hour."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Annotated

import typer

from sparkform.commands import options
from sparkform.commands.declared import load_declared_stack
from sparkform.commands.live_status import read_rack
from sparkform.errors import Problem

ADDRESS = "127.0.0.1"
DEFAULT_PORT = 7670


def run(
    stack: options.StackFile,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Set the page's port; 0 takes a free one.")
    ] = DEFAULT_PORT,
) -> None:
    """Nothing is changed; each node is read once a second until Ctrl-C."""
    from sparkform.commands.dashboard.server import serve

    declared = load_declared_stack(stack)
    with open_socket(port) as listener:
        rack = read_rack(declared)
        address, bound_port = listener.getsockname()
        typer.echo(f"{declared.full_name}: http://{address}:{bound_port} until Ctrl-C")
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(rack, listener))


def open_socket(port: int) -> socket.socket:
    """Raises InputError where the port is taken."""
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        options.require(
            Problem(
                path="--port",
                message=f"cannot be listened on ({os.strerror(error.errno or 0)})",
                got=str(port),
                remedy="choose another one, or 0 for a free one",
            )
        )
        raise
