"""Documents of a verb of the node program: one from each node, or one after the other for ever.

With observe.py, following.py and session.py, the only effect of this package on the network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sparkform.report.rack_report import NodeError
from sparkform.ssh import asyncssh_import, errors
from sparkform.ssh.following import follow_node
from sparkform.ssh.observe import LIMIT_S
from sparkform.ssh.response import find_document
from sparkform.ssh.target import Target, VerbRequest

SILENCE_S = 6.0
"""A node that prints each second and has printed nothing for so long is contacted anew."""

PAUSE_S = 2.0
ShowAnswer = Callable[[str, str | NodeError], None]
"""Called with a node's name and a document, or why none comes."""


def query_documents(
    requests: Mapping[str, VerbRequest], targets: Sequence[Target], limit_s: float = LIMIT_S
) -> dict[str, str | NodeError]:
    """The document of each node by its name, or its error, after at most `limit_s` seconds."""
    asyncssh_import.load_asyncssh()
    return asyncio.run(_query_all(requests, targets, limit_s))


async def _query_all(
    requests: Mapping[str, VerbRequest], targets: Sequence[Target], limit_s: float
) -> dict[str, str | NodeError]:
    queries = (_query(requests[target.name], target, limit_s) for target in targets)
    answers = await asyncio.gather(*queries)
    return {target.name: answer for target, answer in zip(targets, answers, strict=True)}


async def _query(request: VerbRequest, target: Target, limit_s: float) -> str | NodeError:
    from sparkform.ssh.node_query import run_query
    from sparkform.ssh.session import LoginProgress

    output = await run_query(target, request, limit_s, LoginProgress())
    if isinstance(output, NodeError):
        return output
    document = find_document(target, output.output)
    return document if isinstance(document, NodeError) else document.decode("utf-8", "replace")


async def watch_nodes(
    requests: Mapping[str, VerbRequest], targets: Sequence[Target], show: ShowAnswer
) -> None:
    """Every node's documents until this is cancelled. A node that is lost is contacted again."""
    asyncssh_import.load_asyncssh()
    async with asyncio.TaskGroup() as tasks:
        for target in targets:
            tasks.create_task(_watch_node(requests[target.name], target, show))


async def _watch_node(request: VerbRequest, target: Target, show: ShowAnswer) -> None:
    while True:
        show(target.name, await _follow_until_silent(request, target, show))
        await asyncio.sleep(PAUSE_S)


async def _follow_until_silent(request: VerbRequest, target: Target, show: ShowAnswer) -> NodeError:
    """Why it ended. A machine that lost its power says no farewell."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LIMIT_S + SILENCE_S) as silence:

            def show_in_time(node: str, line: str) -> None:
                silence.reschedule(loop.time() + SILENCE_S)
                show(node, line)

            error = await follow_node(request, target, show_in_time)
    except TimeoutError:
        return errors.unreachable(target, f"no answer for {SILENCE_S:g} s")
    return error or errors.dropped(target)
