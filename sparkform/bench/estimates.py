"""Means with their confidence, by Student's t: of runs, of waves of one run, of differences. Pure.

A difference of two means is judged by Welch's test, which lets both spread as they do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import inf, sqrt
from statistics import fmean, quantiles, stdev

from sparkform.bench.record import BenchRecord

T_QUANTILES = (
    *((1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365)),
    *((8, 2.306), (9, 2.262), (10, 2.228), (12, 2.179), (15, 2.131), (20, 2.086), (30, 2.042)),
    *((60, 2.000), (120, 1.980)),
)
"""The 0.975 quantile by degrees of freedom; between two rows the wider one holds
(NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2)."""


class MeanEstimate(BenchRecord):
    """A mean, its standard deviation and of how many values. Below two the spread is unknown."""

    mean: float
    deviation: float | None
    count: int

    @property
    def variance_of_mean(self) -> float | None:
        return None if self.deviation is None else self.deviation**2 / self.count

    @property
    def half_width(self) -> float | None:
        """Half of the interval that holds the true mean in 19 of 20 cases."""
        variance = self.variance_of_mean
        return None if variance is None else get_t_quantile(self.count - 1) * sqrt(variance)


class Difference(BenchRecord):
    """Second minus first. `half_width` is None where a spread is unknown."""

    difference: float
    half_width: float | None
    relative: float | None

    @property
    def is_noise(self) -> bool | None:
        """Whether the interval holds zero; None where it is unknown."""
        if self.half_width is None:
            return None
        return abs(self.difference) <= self.half_width


def summarize(values: Sequence[float]) -> MeanEstimate | None:
    """None of no values."""
    if not values:
        return None
    deviation = stdev(values) if len(values) > 1 else None
    return MeanEstimate(mean=fmean(values), deviation=deviation, count=len(values))


def compare_samples(first: MeanEstimate, second: MeanEstimate) -> Difference:
    """Welch's interval of the difference of two means."""
    difference = second.mean - first.mean
    return Difference(
        difference=difference,
        half_width=_compute_half_width(first, second),
        relative=difference / first.mean if first.mean else None,
    )


def _compute_half_width(first: MeanEstimate, second: MeanEstimate) -> float | None:
    variances = first.variance_of_mean, second.variance_of_mean
    if variances[0] is None or variances[1] is None:
        return None
    total = variances[0] + variances[1]
    if not total:
        return 0.0
    parts = (
        variance**2 / (sample.count - 1)
        for variance, sample in ((variances[0], first), (variances[1], second))
    )
    return get_t_quantile(total**2 / sum(parts)) * sqrt(total)


def get_t_quantile(degrees: float) -> float:
    """The 0.975 quantile of Student's t, or a little more."""
    position = bisect_right(T_QUANTILES, (degrees + 1e-9, inf))
    return T_QUANTILES[max(position - 1, 0)][1]


def compute_percentiles(values: Sequence[float]) -> tuple[float, ...]:
    """The 1st to the 99th, linear between the closest ranks. Not of no values."""
    if len(values) == 1:
        return (values[0],) * 99
    return tuple(quantiles(values, n=100, method="inclusive"))
