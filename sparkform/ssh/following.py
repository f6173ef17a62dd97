"""What a verb of the node program prints on many nodes at once, line by line as it comes.

With observe.py and session.py, the only effect of this package on the network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sparkform.report.rack_report import NodeError
from sparkform.ssh import agent, asyncssh_import
from sparkform.ssh.observe import LIMIT_S
from sparkform.ssh.response import ProgramOutput, explain_failure
from sparkform.ssh.target import Target, VerbRequest

if TYPE_CHECKING:
    import asyncssh

ShowLine = Callable[[str, str], None]
"""Called with a node's name and one line."""


def follow(
    requests: Mapping[str, VerbRequest], targets: Sequence[Target], show: ShowLine
) -> dict[str, NodeError]:
    """Every node's lines until all have ended; the error of each node that failed.

    `asked` by node name. Only connecting and logging in have a time limit. KeyboardInterrupt ends
    all sessions and comes through.
    """
    asyncssh_import.load_asyncssh()
    return asyncio.run(_follow_all(requests, targets, show))


async def _follow_all(
    requests: Mapping[str, VerbRequest], targets: Sequence[Target], show: ShowLine
) -> dict[str, NodeError]:
    errors = await asyncio.gather(
        *(follow_node(requests[target.name], target, show) for target in targets)
    )
    pairs = zip(targets, errors, strict=True)
    return {target.name: error for target, error in pairs if error is not None}


async def follow_node(request: VerbRequest, target: Target, show: ShowLine) -> NodeError | None:
    """One node's lines until they end; its error where it fails."""
    from sparkform.ssh import identities, session

    progress = session.LoginProgress()
    try:
        async with (
            asyncio.timeout(LIMIT_S) as limit,
            identities.load_identities(target) as keys,
            session.open_connection(target, keys, LIMIT_S, progress) as connection,
        ):
            limit.reschedule(None)
            return await _run_verb(request, target, show, connection)
    except TimeoutError:
        return session.explain_timeout(target, progress, LIMIT_S)
    except session.QueryError as refusal:
        return refusal.error
    except Exception as error:
        return session.explain_network_failure(target, error)


async def _run_verb(
    request: VerbRequest, target: Target, show: ShowLine, connection: asyncssh.SSHClientConnection
) -> NodeError | None:
    from sparkform.ssh import session

    command = session.build_program_command(target, request)
    async with connection.create_process(command, encoding=None) as process:
        process.stdin.write(agent.build_zipapp())
        process.stdin.write_eof()
        stderr, _ = await asyncio.gather(process.stderr.read(), _show_lines(process, target, show))
        result = await process.wait(check=False)
    if result.exit_status == 0:
        return None
    return explain_failure(target, ProgramOutput(result.exit_status, b"", stderr))


async def _show_lines(
    process: asyncssh.SSHClientProcess[bytes], target: Target, show: ShowLine
) -> None:
    async for line in process.stdout:
        text = line.decode("utf-8", "replace").rstrip("\n")
        if text:
            show(target.name, text)
