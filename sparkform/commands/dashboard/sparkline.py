"""A line of the last hour as an SVG path. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sparkform.commands.dashboard.history import SAMPLE_S, SPAN_S, FigureSample

WIDTH, HEIGHT, MARGIN = 240, 32, 2
GAP_S = SAMPLE_S * 2.5
"""Samples further apart are not joined."""


def build_path(samples: Sequence[FigureSample], now_s: float, floor: float = 0.0) -> str:
    """From `floor` to the largest figure; what was not known is a gap.

    >>> samples = [FigureSample(1800, 5.0), FigureSample(1815, 10.0), FigureSample(1830, None)]
    >>> build_path(samples, now_s=3600)
    'M120 16L121 2'
    """
    known = [sample.figure for sample in samples if sample.figure is not None]
    top = max([*known, floor]) if known else floor
    path, before = "", None
    for sample in samples:
        if sample.figure is None:
            before = None
            continue
        is_joined = before is not None and sample.unix_time_s - before <= GAP_S
        x = WIDTH * (1 - (now_s - sample.unix_time_s) / SPAN_S)
        share = (sample.figure - floor) / (top - floor) if top > floor else 0.0
        y = HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)
        path += f"{'L' if is_joined else 'M'}{x:.4g} {y:.3g}"
        before = sample.unix_time_s
    return path


def describe(samples: Iterable[FigureSample], unit: str) -> str:
    """The same in words, for who does not see it."""
    known = [sample.figure for sample in samples if sample.figure is not None]
    if not known:
        return "no figures yet"
    return f"last hour: {min(known):.0f} to {max(known):.0f} {unit}"
