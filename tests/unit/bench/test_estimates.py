"""Intervals are those of scipy, which is the reference here and no part of the product."""

from __future__ import annotations

import random

import pytest
from scipy import stats  # type: ignore[import-untyped]

from sparkform.bench.estimates import MeanEstimate, compare_samples, get_t_quantile, summarize


@pytest.mark.parametrize("degrees", [1, 2, 3, 5.5, 9, 11, 14, 18.0, 25, 45, 100, 500])
def test_quantiles_are_scipys_or_a_little_wider(degrees: float) -> None:
    exact = stats.t.ppf(0.975, degrees)
    assert exact - 0.001 <= get_t_quantile(degrees)
    assert get_t_quantile(degrees) <= exact * (1.04 if degrees >= 5 else 1.001)


def test_welchs_interval_is_scipys() -> None:
    source = random.Random(1)
    first = [source.gauss(100, 3) for _ in range(10)]
    second = [source.gauss(103, 6) for _ in range(7)]
    samples = summarize(first), summarize(second)
    assert samples[0] is not None
    assert samples[1] is not None
    difference = compare_samples(samples[0], samples[1])
    interval = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert difference.half_width == pytest.approx((interval.high - interval.low) / 2, rel=0.02)
    assert difference.difference == pytest.approx((interval.high + interval.low) / 2)


def test_noise_is_told_from_a_difference_in_19_of_20_cases() -> None:
    source, alarms, rounds = random.Random(7), 0, 400
    for _ in range(rounds):
        pair = [summarize([source.gauss(50, 2) for _ in range(5)]) for _ in range(2)]
        assert pair[0] is not None
        assert pair[1] is not None
        alarms += compare_samples(pair[0], pair[1]).is_noise is False
    assert 0.02 <= alarms / rounds <= 0.08


def test_of_one_value_the_spread_is_unknown_and_so_is_the_noise() -> None:
    single = summarize([5.0])
    assert single is not None
    assert single.half_width is None
    assert compare_samples(single, MeanEstimate(mean=6, deviation=0.1, count=5)).is_noise is None
    assert summarize([]) is None


def test_equal_values_have_no_noise() -> None:
    first = MeanEstimate(mean=5, deviation=0, count=3)
    assert compare_samples(first, MeanEstimate(mean=5.1, deviation=0, count=3)).is_noise is False
    assert compare_samples(first, first).is_noise is True
