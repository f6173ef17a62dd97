"""Observe all nodes at once. With session.py, the only effect of this package on the network.

The event loop and what it brings are imported only where nodes are observed: most callers read
facts alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from sparkform.report.rack_report import Observation
from sparkform.ssh.target import Target

# Connect, login and command together.
LIMIT_S = 8.0


def observe(targets: Sequence[Target], limit_s: float = LIMIT_S) -> Observation:
    """Every node's document or its error, after at most `limit_s` seconds and a little.

    Runs its own event loop in a thread of its own: a Pulumi program is itself inside one.
    """
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from sparkform.ssh import asyncssh_import

    asyncssh_import.load_asyncssh()
    with ThreadPoolExecutor(max_workers=1) as worker:
        return worker.submit(asyncio.run, observe_all(targets, limit_s)).result()


async def observe_all(targets: Sequence[Target], limit_s: float = LIMIT_S) -> Observation:
    import asyncio

    from sparkform.ssh.node_query import query_node

    results = await asyncio.gather(*(query_node(target, limit_s) for target in targets))
    nodes = zip(targets, results, strict=True)
    return Observation(nodes={target.name: result for target, result in nodes})
