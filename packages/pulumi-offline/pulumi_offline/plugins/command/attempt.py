"""One run on behalf of one call of the engine: its failures become the call's error."""

from __future__ import annotations

import asyncio

import grpc  # type: ignore[import-untyped]

from pulumi_offline.plugins.command.channel import ChannelError
from pulumi_offline.plugins.command.command import Printed, RemoteCommand
from pulumi_offline.plugins.command.dialling import NodeDialler
from pulumi_offline.plugins.command.lines import LineTooLongError
from pulumi_offline.plugins.command.retry import DialError, Patience
from pulumi_offline.plugins.command.run import CommandError, run
from pulumi_offline.plugins.common.engine_log import ResourceLog
from pulumi_offline.plugins.common.refusal import CallContext, refuse

FAILURES = (DialError, ChannelError, CommandError, LineTooLongError)


async def attempt(
    command: RemoteCommand, patience: Patience, log: ResourceLog, context: CallContext
) -> Printed:
    """What the command printed; ends the call with the reason where it failed.

    The run goes on if the engine gives up on the call: a command on a node is never cut short.
    """
    running = asyncio.create_task(run(command, NodeDialler(patience, log)))
    running.add_done_callback(lose_late_failure)
    try:
        return await asyncio.shield(running)
    except FAILURES as error:
        await refuse(context, grpc.StatusCode.UNKNOWN, str(error))
    except UnicodeDecodeError:
        text = "the command ran, but its output is not UTF-8 and cannot be stored"
        await refuse(context, grpc.StatusCode.INTERNAL, text)


def lose_late_failure(running: asyncio.Task[Printed]) -> None:
    """The failure of a run whose call is gone goes nowhere; asyncio must not print it."""
    if not running.cancelled():
        running.exception()
