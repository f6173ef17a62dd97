"""A predicted speed as `predict` and `recommend` print it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sparkform.sizing.throughput import Speed

DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class SpeedFigures:
    """Tokens per second of all requests and of one, seconds to the first token, what limits."""

    decode_tok_s: float
    per_request_tok_s: float
    ttft_s: float
    bound: str


def round_speed(speed: Speed) -> SpeedFigures:
    return SpeedFigures(
        decode_tok_s=round(speed.decode_tok_s, DIGITS),
        per_request_tok_s=round(speed.per_request_tok_s, DIGITS),
        ttft_s=round(speed.ttft_s, DIGITS),
        bound=speed.bound,
    )
