"""Observe all nodes at once. With session.py, the only effect of this package on the network.

The event loop and what it brings are imported only where nodes are observed: most callers read
facts alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from sparkform.report.rack_report import Observation, QueryResult
from sparkform.ssh.target import Target

# Connect, login and command together.
LIMIT_S = 8.0
SECOND_LOOK = 2.5
"""How much longer a node is given where something of it was late: 20 s, of which its program has
12."""


def observe(targets: Sequence[Target], limit_s: float = LIMIT_S) -> Observation:
    """Every node's document or its error, after at most `limit_s` seconds and a little; a node of
    which something was late is looked at once more, with a longer limit.

    Runs its own event loop in a thread of its own: a Pulumi program is itself inside one.
    """
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from sparkform.ssh import asyncssh_import

    asyncssh_import.load_asyncssh()
    with ThreadPoolExecutor(max_workers=1) as worker:
        return worker.submit(asyncio.run, observe_all(targets, limit_s)).result()


async def observe_all(targets: Sequence[Target], limit_s: float = LIMIT_S) -> Observation:
    first = await _query_all(targets, limit_s)
    late = [target for target in targets if first[target.name].is_late]
    second = await _query_all(late, limit_s * SECOND_LOOK)
    better = {
        name: result for name, result in second.items() if result.report or not first[name].report
    }
    return Observation(nodes={**first, **better})


async def _query_all(targets: Sequence[Target], limit_s: float) -> dict[str, QueryResult]:
    import asyncio

    from sparkform.ssh.node_query import query_node

    results = await asyncio.gather(*(query_node(target, limit_s) for target in targets))
    return {target.name: result for target, result in zip(targets, results, strict=True)}
