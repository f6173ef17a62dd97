"""Look at all nodes at once. With ssh.py, the only effect of this package on the network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sparkform.facts import answer, errors, ssh_library
from sparkform.facts.models import NodeDocument
from sparkform.facts.report import NodeError, NodeReport, Observation
from sparkform.facts.target import Target

if TYPE_CHECKING:
    from sparkform.facts import ssh

# Connect, login and command together.
LIMIT_S = 8.0


def observe(targets: Sequence[Target], limit_s: float = LIMIT_S) -> Observation:
    """Every node's document or its error, after at most `limit_s` seconds and a little.

    Runs its own event loop in a thread of its own: a Pulumi program is itself inside one.
    """
    ssh_library.load()
    with ThreadPoolExecutor(max_workers=1) as worker:
        return worker.submit(asyncio.run, observe_all(targets, limit_s)).result()


async def observe_all(targets: Sequence[Target], limit_s: float = LIMIT_S) -> Observation:
    reports = await asyncio.gather(*(report(target, limit_s) for target in targets))
    nodes = zip(targets, reports, strict=True)
    return Observation(nodes={target.name: found for target, found in nodes})


async def report(target: Target, limit_s: float) -> NodeReport:
    """One node, timed."""
    from sparkform.facts import ssh

    started, progress = time.monotonic(), ssh.Progress()
    looked = await _look(target, limit_s, progress)
    found = looked if isinstance(looked, NodeError) else answer.judge(target, looked.answer)
    return NodeReport(
        document=found if isinstance(found, NodeDocument) else None,
        error=found if isinstance(found, NodeError) else None,
        host_key=progress.host_key,
        login=progress.logins.get(target.name),
        jump_login=progress.logins.get(target.proxy_jump or ""),
        clock_skew_s=None if isinstance(looked, NodeError) else _skew(found, looked),
        duration_s=round(time.monotonic() - started, 3),
    )


async def _look(target: Target, limit_s: float, progress: ssh.Progress) -> ssh.Looked | NodeError:
    """What the node printed. Whatever goes wrong is an error of this node and of no other."""
    from sparkform.facts import ssh

    try:
        async with asyncio.timeout(limit_s):
            async with ssh.identities(target) as keys:
                return await ssh.look(target, keys, limit_s, progress)
    except TimeoutError:
        return ssh.late(target, progress, limit_s)
    except ssh.Refusal as refusal:
        return refusal.error
    except Exception as error:
        return errors.failed(target, f"{type(error).__name__}: {error}")


def _skew(found: NodeDocument | NodeError, looked: ssh.Looked) -> float | None:
    """Seconds by which the node's clock is ahead. The node reads its clock last of all, so only the
    way back lies between the two readings: some hundredths of a second."""
    if isinstance(found, NodeError):
        return None
    return round(found.unix_time_s - looked.answered_s, 3)
