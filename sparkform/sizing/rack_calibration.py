"""What a rack measured itself, as a correction of the published speed model. Pure.

Measurements are kept apart by hardware, engine build and quantisation. Of each class the logarithms
of measured over predicted are fitted: by their mean, and with enough points by a line over the
logarithm of the concurrency. Few points are not taken for certain: their spread is weighed with
that of the published rows, as if PRIOR_POINTS more had been seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, log2, sqrt
from statistics import fmean, linear_regression, median
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt
from pydantic.alias_generators import to_camel

PRIOR_DEVIATION = 0.2
"""Of ln(measured / predicted) where a model is left out of the fit: 13.8 % is its median error, and
the median of |x| is 0.67 standard deviations."""

PRIOR_POINTS = 3
LINE_POINTS, LINE_LEVELS = 4, 3
"""A line is fitted from so many measurements at so many concurrencies."""

WIDTH = {3: 3.19, 4: 2.78, 5: 2.57, 6: 2.45, 8: 2.31, 10: 2.23, 15: 2.13, 30: 2.04}
"""Student's t at 0.975 by degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.2), rounded up."""


class CalibrationClass(NamedTuple):
    """What is measured together. `build` is an image, or an engine's version."""

    hardware: str
    engine: str
    build: str
    quantisation: str


class MeasuredSpeed(BaseModel):
    """One load of one result. It holds no name of a user, a host or a stack, and no prompt."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    hardware: str
    engine: str
    build: str
    quantisation: str
    model: str
    nodes: PositiveInt
    tensor_parallel: PositiveInt
    pipeline_parallel: PositiveInt
    concurrency: PositiveInt
    input_tokens: PositiveInt
    output_tokens: PositiveInt
    measured_tok_s: PositiveFloat
    predicted_tok_s: PositiveFloat
    measured_ttft_ms: PositiveFloat
    predicted_ttft_ms: PositiveFloat
    measured_unix_s: float

    @property
    def calibration_class(self) -> CalibrationClass:
        return CalibrationClass(self.hardware, self.engine, self.build, self.quantisation)


@dataclass(frozen=True)
class Correction:
    """A factor with its range, of 19 of 20 further measurements of this class."""

    factor: float
    low: float
    high: float


@dataclass(frozen=True)
class LogFit:
    """ln(measured / predicted) = `level` + `slope` (log2(concurrency) - `centre`)."""

    level: float
    slope: float
    centre: float
    deviation: float
    freedom: int
    count: int

    def correct(self, concurrency: int) -> Correction:
        middle = self.level + self.slope * (log2(concurrency) - self.centre)
        half = get_width(self.freedom) * self.deviation * sqrt(1 + 1 / self.count)
        return Correction(exp(middle), exp(middle - half), exp(middle + half))


@dataclass(frozen=True)
class RackFit:
    """`leave_one_out` is the median error of predicting each measurement by the others; None of one
    alone. `spread`: the smallest and the largest of measured over predicted."""

    calibration_class: CalibrationClass
    count: int
    speed: LogFit
    first_token: LogFit
    spread: tuple[float, float]
    leave_one_out: float | None
    newest_unix_s: float


def fit_classes(measured: Iterable[MeasuredSpeed]) -> dict[CalibrationClass, RackFit]:
    """The class that was measured last comes first."""
    classes: dict[CalibrationClass, list[MeasuredSpeed]] = {}
    for each in measured:
        classes.setdefault(each.calibration_class, []).append(each)
    fits = [fit_class(members) for members in classes.values()]
    fits.sort(key=lambda fit: fit.newest_unix_s, reverse=True)
    return {fit.calibration_class: fit for fit in fits}


def fit_class(members: Sequence[MeasuredSpeed]) -> RackFit:
    """Of one class; not of no members."""
    speeds = [_build_point(each, _read_speed_ratio(each)) for each in members]
    first_tokens = [
        _build_point(each, each.measured_ttft_ms / each.predicted_ttft_ms) for each in members
    ]
    ratios = [_read_speed_ratio(each) for each in members]
    return RackFit(
        calibration_class=members[0].calibration_class,
        count=len(members),
        speed=fit_points(speeds),
        first_token=fit_points(first_tokens),
        spread=(min(ratios), max(ratios)),
        leave_one_out=measure_left_out(speeds),
        newest_unix_s=max(each.measured_unix_s for each in members),
    )


class LogPoint(NamedTuple):
    """log2 of the concurrency, and ln of measured over predicted."""

    x: float
    y: float


def _build_point(each: MeasuredSpeed, ratio: float) -> LogPoint:
    return LogPoint(log2(each.concurrency), log(ratio))


def _read_speed_ratio(each: MeasuredSpeed) -> float:
    return each.measured_tok_s / each.predicted_tok_s


def fit_points(points: Sequence[LogPoint]) -> LogFit:
    levels = {point.x for point in points}
    centre = fmean(point.x for point in points)
    level, slope, parameters = fmean(point.y for point in points), 0.0, 1
    if len(points) >= LINE_POINTS and len(levels) >= LINE_LEVELS:
        line = linear_regression([p.x for p in points], [p.y for p in points])
        slope, parameters = line.slope, 2
    rest = sum((p.y - level - slope * (p.x - centre)) ** 2 for p in points)
    freedom = PRIOR_POINTS + len(points) - parameters
    deviation = sqrt((PRIOR_POINTS * PRIOR_DEVIATION**2 + rest) / (PRIOR_POINTS + len(points)))
    return LogFit(level, slope, centre, deviation, freedom, len(points))


def measure_left_out(points: Sequence[LogPoint]) -> float | None:
    if len(points) < 2:
        return None
    errors = []
    for number, point in enumerate(points):
        fit = fit_points([*points[:number], *points[number + 1 :]])
        predicted = fit.level + fit.slope * (point.x - fit.centre)
        errors.append(abs(exp(predicted - point.y) - 1))
    return median(errors)


def get_width(freedom: int) -> float:
    below = [width for degrees, width in WIDTH.items() if degrees <= freedom]
    return below[-1] if below else WIDTH[min(WIDTH)]


def find_fit(
    fits: Mapping[CalibrationClass, RackFit],
    hardware: str,
    engine: str,
    quantisation: str,
    image: str | None,
) -> RackFit | None:
    """The fit of this build; where none is named, of the build that was measured last."""
    for known, fit in fits.items():
        is_alike = (known.hardware, known.engine, known.quantisation) == (
            hardware,
            engine,
            quantisation,
        )
        if is_alike and image in (None, known.build):
            return fit
    return None
