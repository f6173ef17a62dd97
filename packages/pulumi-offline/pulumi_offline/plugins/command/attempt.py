"""One run on behalf of one call of the engine: its failures become the call's error."""

from __future__ import annotations

import asyncio

import grpc  # type: ignore[import-untyped]

from pulumi_offline.plugins.command.channel import ChannelError
from pulumi_offline.plugins.command.command import Printed, RemoteCommand
from pulumi_offline.plugins.command.dialling import Dialler
from pulumi_offline.plugins.command.lines import LineTooLong
from pulumi_offline.plugins.command.retry import DialError, Patience
from pulumi_offline.plugins.command.run import CommandError, run
from pulumi_offline.plugins.common.engine_log import ResourceLog
from pulumi_offline.plugins.common.refusal import Context, refuse

FAILURES = (DialError, ChannelError, CommandError, LineTooLong)


async def try_run(
    command: RemoteCommand, patience: Patience, log: ResourceLog, context: Context
) -> Printed:
    """What the command printed; ends the call with the reason where it failed.

    The run goes on if the engine gives up on the call: a command on a node is never cut short.
    """
    running = asyncio.create_task(run(command, Dialler(patience, log)))
    running.add_done_callback(ignore_late_failure)
    try:
        return await asyncio.shield(running)
    except FAILURES as error:
        await refuse(context, grpc.StatusCode.UNKNOWN, str(error))
    except UnicodeDecodeError:
        text = "the command ran, but what it printed is not UTF-8 and cannot be kept"
        await refuse(context, grpc.StatusCode.INTERNAL, text)


def ignore_late_failure(running: asyncio.Task[Printed]) -> None:
    """A run whose call is gone has nobody to tell; asyncio must not print its traceback."""
    if not running.cancelled():
        running.exception()
