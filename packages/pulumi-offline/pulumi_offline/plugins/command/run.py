"""Runs one command on one node: connects, sets variables, feeds, reads, judges the end."""

from __future__ import annotations

import asyncio
import json
import signal

import asyncssh

from pulumi_offline.plugins.command.channel import (
    AskingChannel,
    ChannelError,
    CommandOutput,
    create_channel,
)
from pulumi_offline.plugins.command.command import Printed, RemoteCommand
from pulumi_offline.plugins.command.dialling import NodeDialler
from pulumi_offline.plugins.command.lines import LineLog
from pulumi_offline.plugins.common.engine_log import ResourceLog, Severity

# The signals whose numbers count into the exit status (RFC 4254, 6.10).
SIGNALS = ("ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM")
REFUSED = (
    "Unable to set '{name}'. This only works if your SSH server is configured to accept these "
    "variables via AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote "
    "host, you could prefix the command itself with the variables in the form 'VAR=value command'"
)


class CommandError(Exception):
    """A command that failed; the text holds what it printed, as the official plugin's does."""


async def run(command: RemoteCommand, dialler: NodeDialler) -> Printed:
    """What the command printed.

    Raises DialError without a connection, ChannelError without a start, CommandError after a
    failure, LineTooLong, and UnicodeDecodeError if it printed what is not UTF-8.
    """
    async with dialler.connect(command.endpoint) as connection:
        lines = LineLog(dialler.log, command.logged)
        ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        output = CommandOutput(command.stdin.encode(), lines.take, ended)
        await start(connection, output, command, dialler.log)
        showing = asyncio.create_task(lines.show())
        lost = await ended
        lines.finish()
        await showing
    failure = describe_failure(output, lost)
    if failure:
        printed = output.combined.decode(errors="replace")
        raise CommandError(f"{failure}: running {json.dumps(command.command)}:\n{printed}")
    return Printed(decode_output(output.stdout), decode_output(output.stderr))


async def start(
    connection: asyncssh.SSHClientConnection,
    output: CommandOutput,
    command: RemoteCommand,
    log: ResourceLog,
) -> None:
    channel = create_channel(connection)
    try:
        await channel.open(output)
        await set_variables(channel, command, log)
        await channel.execute(output, command.command)
    except asyncssh.Error as error:
        raise ChannelError(f"ssh: {error}") from None


async def set_variables(channel: AskingChannel, command: RemoteCommand, log: ResourceLog) -> None:
    """A refused variable of `environment` is an error, one that repeats output is a warning."""
    for name, value in command.environment.items():
        if not await channel.set_variable(name, value):
            await report_refused(name, "ERROR", log)
            text = f'could not set environment variable "{name}": ssh: setenv failed'
            raise ChannelError(text)
    previous = {
        "PULUMI_COMMAND_STDOUT": command.previous.stdout,
        "PULUMI_COMMAND_STDERR": command.previous.stderr,
    }
    for name, value in previous.items():
        if value and not await channel.set_variable(name, value):
            await report_refused(name, "WARNING", log)


async def report_refused(name: str, severity: Severity, log: ResourceLog) -> None:
    await log.write(severity, REFUSED.format(name=name))


def describe_failure(output: CommandOutput, lost: Exception | None) -> str | None:
    """Why the run counts as failed, if it does."""
    if output.signal is not None:
        number = getattr(signal, f"SIG{output.signal}") if output.signal in SIGNALS else 0
        return f"Process exited with status {128 + number} from signal {output.signal}"
    if output.status is None:
        why = f" ({lost})" if lost else ""
        return f"wait: remote command exited without exit status or exit signal{why}"
    if output.status:
        return f"Process exited with status {output.status}"
    return "EOF" if output.unread else None


def decode_output(printed: bytearray) -> str:
    """Output as text, without one closing newline. Raises UnicodeDecodeError."""
    return printed.decode().removesuffix("\n")
