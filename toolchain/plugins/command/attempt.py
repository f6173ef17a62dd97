"""One run on behalf of one call of the engine: its failures become the call's error."""

from __future__ import annotations

import asyncio

import grpc  # type: ignore[import-untyped]

from toolchain.plugins.command.channel import ChannelError
from toolchain.plugins.command.command import Printed, RemoteCommand
from toolchain.plugins.command.dialling import Dialler
from toolchain.plugins.command.lines import LineTooLong
from toolchain.plugins.command.retry import DialError, Patience
from toolchain.plugins.command.run import CommandError, run
from toolchain.plugins.common.engine_log import ResourceLog
from toolchain.plugins.common.refusal import Context, refuse

FAILURES = (DialError, ChannelError, CommandError, LineTooLong)


async def attempt(
    command: RemoteCommand, patience: Patience, log: ResourceLog, context: Context
) -> Printed:
    """What the command printed; ends the call with the reason where it failed.

    The run goes on if the engine gives up on the call: a command on a node is never cut short.
    """
    running = asyncio.create_task(run(command, Dialler(patience, log)))
    running.add_done_callback(lose_late_failure)
    try:
        return await asyncio.shield(running)
    except FAILURES as error:
        await refuse(context, grpc.StatusCode.UNKNOWN, str(error))
    except UnicodeDecodeError:
        text = "the command ran, but what it printed is not UTF-8 and cannot be kept"
        await refuse(context, grpc.StatusCode.INTERNAL, text)


def lose_late_failure(running: asyncio.Task[Printed]) -> None:
    """A run whose call is gone has nobody to tell; asyncio must not print its traceback."""
    if not running.cancelled():
        running.exception()
