"""One node queried: its report or its error, timed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from sparkform.report.facts import NodeReport
from sparkform.report.rack_report import NodeError, QueryResult
from sparkform.ssh import errors, response
from sparkform.ssh.target import Target, VerbRequest

if TYPE_CHECKING:
    from sparkform.ssh import session


async def query_node(target: Target, limit_s: float) -> QueryResult:
    """One node, timed."""
    from sparkform.ssh import session

    started, progress = time.monotonic(), session.LoginProgress()
    request = session.build_observe_request(target, limit_s)
    output = await run_query(target, request, limit_s, progress)
    outcome = (
        output if isinstance(output, NodeError) else response.parse_output(target, output.output)
    )
    return QueryResult(
        report=outcome if isinstance(outcome, NodeReport) else None,
        error=outcome if isinstance(outcome, NodeError) else None,
        host_key=progress.host_key,
        login=progress.logins.get(target.name),
        jump_login=progress.logins.get(target.proxy_jump or ""),
        clock_skew_s=None
        if isinstance(output, NodeError)
        else _measure_clock_skew(outcome, output),
        duration_s=round(time.monotonic() - started, 3),
    )


async def run_query(
    target: Target, request: VerbRequest, limit_s: float, progress: session.LoginProgress
) -> session.TimedOutput | NodeError:
    """What the node printed. Whatever goes wrong is an error of this node and of no other."""
    from sparkform.ssh import identities, session

    try:
        async with asyncio.timeout(limit_s):
            async with identities.load_identities(target) as keys:
                return await session.run_verb(target, request, keys, limit_s, progress)
    except TimeoutError:
        return session.explain_timeout(target, progress, limit_s)
    except session.QueryError as refusal:
        return refusal.error
    except Exception as error:
        return errors.failed(target, f"{type(error).__name__}: {error}")


def _measure_clock_skew(
    outcome: NodeReport | NodeError, output: session.TimedOutput
) -> float | None:
    """Seconds by which the node's clock is ahead. The node reads its clock last of all, so only the
    way back lies between the two readings: some hundredths of a second."""
    if isinstance(outcome, NodeError):
        return None
    return round(outcome.unix_time_s - output.received_s, 3)
