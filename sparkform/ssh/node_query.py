"""One node looked at: its document or its error, timed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from sparkform.report.facts import NodeDocument
from sparkform.report.rack_report import NodeError, NodeReport
from sparkform.ssh import errors, response
from sparkform.ssh.target import Target

if TYPE_CHECKING:
    from sparkform.ssh import session


async def report(target: Target, limit_s: float) -> NodeReport:
    """One node, timed."""
    from sparkform.ssh import session

    started, progress = time.monotonic(), session.Progress()
    looked = await _look(target, limit_s, progress)
    found = looked if isinstance(looked, NodeError) else response.judge(target, looked.answer)
    return NodeReport(
        document=found if isinstance(found, NodeDocument) else None,
        error=found if isinstance(found, NodeError) else None,
        host_key=progress.host_key,
        login=progress.logins.get(target.name),
        jump_login=progress.logins.get(target.proxy_jump or ""),
        clock_skew_s=None if isinstance(looked, NodeError) else _skew(found, looked),
        duration_s=round(time.monotonic() - started, 3),
    )


async def _look(
    target: Target, limit_s: float, progress: session.Progress
) -> session.Looked | NodeError:
    """What the node printed. Whatever goes wrong is an error of this node and of no other."""
    from sparkform.ssh import session

    try:
        async with asyncio.timeout(limit_s):
            async with session.identities(target) as keys:
                return await session.look(target, keys, limit_s, progress)
    except TimeoutError:
        return session.late(target, progress, limit_s)
    except session.Refusal as refusal:
        return refusal.error
    except Exception as error:
        return errors.failed(target, f"{type(error).__name__}: {error}")


def _skew(found: NodeDocument | NodeError, looked: session.Looked) -> float | None:
    """Seconds by which the node's clock is ahead. The node reads its clock last of all, so only the
    way back lies between the two readings: some hundredths of a second."""
    if isinstance(found, NodeError):
        return None
    return round(found.unix_time_s - looked.answered_s, 3)
