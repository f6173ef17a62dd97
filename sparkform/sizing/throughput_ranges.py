"""How far measurements of a class lie from its predictions, and the range that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sparkform.models.shape import is_mixture
from sparkform.sizing.throughput import Speed
from sparkform.sizing.throughput_load import ServedModel, classify_width


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Measured over predicted, at the ends of the range that holds eight of ten rows of a class."""

    low: float
    high: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A speed with the range that like models were measured in."""

    speed: Speed
    decode_low_tok_s: float
    decode_high_tok_s: float


def classify_model(model: ServedModel) -> str:
    """The class whose kernels decide: mixture or dense, and the width of most of its weights."""
    if is_mixture(model.shape):
        return f"mixture {model.quantisation.family}"
    return f"dense {classify_width(model.quantisation.get_bits('dense'))}"


def add_range(model: ServedModel, speed: Speed, spreads: Mapping[str, Spread]) -> Prediction:
    """Add the range of the model's class, or of all rows where its class has too few."""
    spread = spreads.get(classify_model(model), spreads["all"])
    return Prediction(
        speed=speed,
        decode_low_tok_s=speed.decode_tok_s * spread.low,
        decode_high_tok_s=speed.decode_tok_s * spread.high,
    )
