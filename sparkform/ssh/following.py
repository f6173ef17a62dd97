"""What a verb of the node program prints on many nodes at once, line by line as it comes.

With observe.py and ssh.py, the only effect of this package on the network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkform.report.rack_report import NodeError
from sparkform.ssh import agent, asyncssh_import, errors
from sparkform.ssh.observe import LIMIT_S
from sparkform.ssh.target import Target

if TYPE_CHECKING:
    import asyncssh

Show = Callable[[str, str], None]
"""Called with a node's name and one line."""


@dataclass(frozen=True)
class Question:
    """A verb of the node program with its request."""

    verb: str
    request: Mapping[str, object]


def follow(
    asked: Mapping[str, Question], targets: Sequence[Target], show: Show
) -> dict[str, NodeError]:
    """Every node's lines until all have ended; the error of each node that failed.

    `asked` by node name. Only connecting and logging in have a time limit. KeyboardInterrupt ends
    all sessions and comes through.
    """
    asyncssh_import.load()
    return asyncio.run(_follow_all(asked, targets, show))


async def _follow_all(
    asked: Mapping[str, Question], targets: Sequence[Target], show: Show
) -> dict[str, NodeError]:
    found = await asyncio.gather(*(_follow(asked[one.name], one, show) for one in targets))
    pairs = zip(targets, found, strict=True)
    return {target.name: error for target, error in pairs if error is not None}


async def _follow(question: Question, target: Target, show: Show) -> NodeError | None:
    from sparkform.ssh import session

    progress = session.Progress()
    try:
        async with (
            asyncio.timeout(LIMIT_S) as limit,
            session.identities(target) as keys,
            session.connected(target, keys, LIMIT_S, progress) as connection,
        ):
            limit.reschedule(None)
            return await _lines(question, target, show, connection)
    except TimeoutError:
        return session.late(target, progress, LIMIT_S)
    except session.Refusal as refusal:
        return refusal.error
    except Exception as error:
        return session.network_failure(target, error)


async def _lines(
    question: Question, target: Target, show: Show, connection: asyncssh.SSHClientConnection
) -> NodeError | None:
    from sparkform.ssh import session

    command = session.program_command(target, question.verb, question.request)
    async with connection.create_process(command, encoding=None) as process:
        process.stdin.write(agent.zipapp())
        process.stdin.write_eof()
        said, _ = await asyncio.gather(process.stderr.read(), _show(process, target, show))
        done = await process.wait(check=False)
    if done.exit_status == 0:
        return None
    words = said.decode("utf-8", "replace").strip().splitlines()
    return errors.failed(target, words[-1] if words else f"exit code {done.exit_status}")


async def _show(process: asyncssh.SSHClientProcess[bytes], target: Target, show: Show) -> None:
    async for line in process.stdout:
        text = line.decode("utf-8", "replace").rstrip("\n")
        if text:
            show(target.name, text)
