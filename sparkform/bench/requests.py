"""What became of each request, as one line of requests.jsonl, whichever driver sent it."""

from __future__ import annotations

from statistics import fmean
from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt

from sparkform.bench.load import Goodput
from sparkform.bench.record import BenchRecord

Outcome = Literal["answered", "short", "empty", "failed"]
"""`short`: fewer tokens than were asked for. `empty`: ended without any token. `failed`: an error
of the server, of the connection, or the end of the run."""


class RequestRecord(BenchRecord):
    """Times in seconds; `start_s` since the first request. A request without a token has no
    `ttft_s`. Tokens of reasoning and of tool calls are output like others: the first one ends the
    wait, and `output_tokens` counts them.

    `load` is the number of the load in result.json and `run` that of its run, both from 0. `gaps_s`
    are the times between chunks; a chunk may hold several tokens.
    """

    load: NonNegativeInt = 0
    run: NonNegativeInt = 0

    start_s: NonNegativeFloat
    e2e_s: NonNegativeFloat | None = None
    ttft_s: NonNegativeFloat | None = None
    gaps_s: tuple[NonNegativeFloat, ...] = ()
    input_tokens: NonNegativeInt | None = None
    output_tokens: NonNegativeInt = 0
    reasoning_tokens: NonNegativeInt = 0
    outcome: Outcome
    error: str | None = None

    @property
    def end_s(self) -> float:
        return self.start_s + (self.e2e_s or 0.0)

    @property
    def itl_s(self) -> float | None:
        """The mean time between two chunks."""
        return fmean(self.gaps_s) if self.gaps_s else None

    @property
    def tpot_s(self) -> float | None:
        """The time a token after the first."""
        if self.ttft_s is None or self.e2e_s is None or self.output_tokens < 2:
            return None
        return (self.e2e_s - self.ttft_s) / (self.output_tokens - 1)

    @property
    def tok_s(self) -> float | None:
        """Tokens a second as this user sees them, once they come."""
        return 1 / self.tpot_s if self.tpot_s else None

    @property
    def has_answer(self) -> bool:
        return self.outcome in ("answered", "short")


def is_good(request: RequestRecord, limits: Goodput) -> bool:
    """Whether a request was answered within all limits that are set."""
    pairs = (
        (request.ttft_s, limits.ttft),
        (request.itl_s, limits.itl),
        (request.tpot_s, limits.tpot),
        (request.e2e_s, limits.e2e),
    )
    kept = all(
        limit_ms is None or (time_s is not None and time_s * 1000 <= limit_ms)
        for time_s, limit_ms in pairs
    )
    return request.has_answer and kept
