"""Dials again after a failure, as often and as far apart as the official plugin does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pulumi_offline.plugins.common.engine_log import ResourceLog

# pulumi sdk/v3 v3.224.0, go/common/util/retry/until.go: the first delay, its growth, its limit.
FIRST_DELAY_S = 0.1
BACKOFF = 1.5
LONGEST_DELAY_S = 5.0
UNLIMITED = -1

Result = TypeVar("Result")


class DialError(Exception):
    """A connection that failed; the text is fit for a user and holds no secret."""


@dataclass(frozen=True)
class Patience:
    """How long to go on dialling: until the run is cancelled, or the resource's time is up."""

    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    timeout_s: float | None = None

    async def wait(self, delay_s: float, deadline_s: float | None) -> None:
        """Waits before the next dial.

        Raises DialError if the run is cancelled or the time is up meanwhile.
        """
        now_s = asyncio.get_running_loop().time()
        left_s = delay_s if deadline_s is None else min(delay_s, deadline_s - now_s)
        try:
            await asyncio.wait_for(self.cancelled.wait(), max(left_s, 0))
        except TimeoutError:
            if left_s < delay_s:
                raise DialError("context deadline exceeded") from None
        else:
            raise DialError("context canceled")


async def dial_with_retry(
    label: str,
    error_limit: int,
    dial: Callable[[], Awaitable[Result]],
    patience: Patience,
    log: ResourceLog,
) -> Result:
    """The first dial that succeeds, of at most error_limit + 1.

    Raises DialError with the last dial's error, or when patience ends.
    """
    loop = asyncio.get_running_loop()
    deadline_s = None if patience.timeout_s is None else loop.time() + patience.timeout_s
    delay_s, failed = FIRST_DELAY_S, 0
    while True:
        try:
            return await dial()
        except DialError as error:
            if error_limit > UNLIMITED and failed >= error_limit:
                raise DialError(f"after {failed} failed attempts: {error}") from error
        failed += 1
        limit = "inf" if error_limit == UNLIMITED else error_limit
        await log.show_status(f"{label} {failed}/{limit} failed: retrying")
        await patience.wait(delay_s, deadline_s)
        delay_s = min(delay_s * BACKOFF, LONGEST_DELAY_S)
