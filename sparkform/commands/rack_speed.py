"""A predicted speed as this user's own measurements correct it, in words, beside the published
one."""

from __future__ import annotations

from sparkform.catalogue.store import DEFAULT_HARDWARE
from sparkform.commands.calibration_file import load_measured
from sparkform.sizing.rack_calibration import find_fit, fit_classes


def describe_rack_speed(
    decode_tok_s: float, engine: str, quantisation: str, image: str | None, concurrency: int
) -> str | None:
    """None where nothing was measured of this build and quantisation. Raises InputError."""
    fits = fit_classes(load_measured())
    fit = find_fit(fits, DEFAULT_HARDWARE, engine, quantisation, image)
    if fit is None:
        return None
    correction = fit.speed.correct(concurrency)
    middle, low, high = (
        decode_tok_s * factor for factor in (correction.factor, correction.low, correction.high)
    )
    count = fit.count
    return (
        f"on this rack {middle:.1f} tok/s ({low:.1f} to {high:.1f}), by {count} "
        f"measurement{'s' * (count > 1)} of {fit.calibration_class.build}"
    )
