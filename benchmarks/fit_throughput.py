"""Fits the speed model's parameters on benchmarks/data/speeds.json and says how well they predict.

    python -m benchmarks.fit_throughput          (needs scipy, of the dev extra)

Writes sparkform/catalogue/data/throughput.json: parameters, spread of each class, and the errors
with each model left out. benchmarks/doc_tables.py puts them into docs/prediction.md and
benchmarks/tables.md.
"""

from __future__ import annotations

import importlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate
from statistics import mean, median
from typing import Any, NamedTuple

from benchmarks.speed_rows import SpeedRow, load_rows
from sparkform.catalogue import store
from sparkform.sizing.throughput import SpeedParameters
from sparkform.sizing.throughput_ranges import Spread, classify_model

# Where each parameter starts and how far it is expected to move, in logits for shares and in
# logarithms for seconds and counts. The starts are round values of published rows: a dense stream
# reaches 60 to 94 % of the bandwidth, mixtures 23 to 79 %.
SHARES: dict[str, tuple[float, float]] = {
    "dense 16bit": (0.85, 0.35),
    "dense 8bit": (0.75, 0.35),
    "dense 4bit": (0.75, 0.35),
    "expert 16bit": (0.75, 0.35),
    "expert 8bit": (0.6, 0.35),
    "expert 4bit-float": (0.5, 0.5),
    "expert 4bit-int": (0.65, 0.5),
    "expert 4bit-micro": (0.8, 0.5),
    "cache": (0.7, 0.5),
    "routing": (0.8, 1.0),
    "prefill dense": (0.3, 0.5),
    "prefill mixture": (0.2, 0.5),
    "prefill compressed": (0.12, 0.5),
    "trtllm experts": (0.9, 0.7),
}
AMOUNTS: dict[str, tuple[float, float]] = {
    "layer_s dense": (5e-5, 0.4),
    "layer_s mixture": (6e-5, 0.4),
    "eager_layer_s": (9e-4, 0.7),
    "step_s": (2e-3, 1.0),
    "sequence_s": (1e-5, 1.0),
    "collective_latencies": (4.0, 0.7),
    "first_token_s vllm": (0.03, 0.6),
    "first_token_s trtllm": (0.01, 1.0),
    "first_token_layer_s": (1e-3, 0.6),
}
# No row is bound by compute while it decodes, so this share rests on no measurement.
UNFITTED_COMPUTE_SHARE = 0.5
# The efficiencies of a group are pulled towards each other: a class with one model borrows.
GROUPS = (
    [name for name in SHARES if name.startswith("expert ")],
    [name for name in SHARES if name.startswith("dense ")],
)
GROUP_WIDTH = 0.5
PRIOR_WEIGHT = 0.15
ROBUST_SCALE = 0.15
# Each of a model's n rows is divided by n^0.5, so that models count and not rows.
FAMILY_POWER = 0.5
FEWEST_ROWS_OF_A_CLASS = 5
FEWEST_MODELS_OF_A_CLASS = 4
# What the printed range says of itself, and the tails that are tried for it, widest first.
COVERAGE = 0.8
TAILS = (0.1, 0.075, 0.05, 0.025, 0.0)
NAMES = [*SHARES, *AMOUNTS]


class JudgedRow(NamedTuple):
    """A decode row: its class, its model, and measured over predicted."""

    name: str
    family: str
    ratio: float


def compute_logit(share: float) -> float:
    """The logarithm of the odds."""
    return math.log(share / (1.0 - share))


def get_starting_point() -> list[float]:
    """The priors' centres, in the fit's coordinates."""
    return [compute_logit(start) for start, _ in SHARES.values()] + [
        math.log(start) for start, _ in AMOUNTS.values()
    ]


def build_parameters(point: Sequence[float]) -> SpeedParameters:
    """The speed model's parameters at a point of the fit's coordinates."""
    values = dict(zip(NAMES, point, strict=True))
    share = {name: 1.0 / (1.0 + math.exp(-values[name])) for name in SHARES}
    amount = {name: math.exp(values[name]) for name in AMOUNTS}
    return SpeedParameters(
        dense_efficiency={width: share[f"dense {width}"] for width in ("16bit", "8bit", "4bit")},
        expert_efficiency={
            "16bit": share["expert 16bit"],
            "8bit-float": share["expert 8bit"],
            "8bit-int": share["expert 8bit"],
            "4bit-float": share["expert 4bit-float"],
            "4bit-int": share["expert 4bit-int"],
            "4bit-micro": share["expert 4bit-micro"],
        },
        cache_efficiency=share["cache"],
        routing_spread=share["routing"],
        engine_expert_factor={"vllm": 1.0, "trtllm": share["trtllm experts"]},
        decode_compute_efficiency=UNFITTED_COMPUTE_SHARE,
        prefill_efficiency=_pick(share, "prefill "),
        layer_s=_pick(amount, "layer_s "),
        first_token_s=_pick(amount, "first_token_s "),
        **{name: value for name, value in amount.items() if " " not in name},
    )


def _pick(values: Mapping[str, float], prefix: str) -> dict[str, float]:
    """The members of a group, by what follows its name."""
    return {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if name.startswith(prefix)
    }


def compute_residuals(point: Sequence[float], rows: Sequence[SpeedRow]) -> list[float]:
    """Logarithms of predicted over measured, models weighing alike, then the priors' pulls."""
    parameters = build_parameters(point)
    sizes = Counter(row.family for row in rows)
    misses = [
        math.log(row.predict(parameters) / row.measured) / sizes[row.family] ** FAMILY_POWER
        for row in rows
    ]
    widths = [width for _, width in (*SHARES.values(), *AMOUNTS.values())]
    pulls = [
        (value - start) / width
        for value, start, width in zip(point, get_starting_point(), widths, strict=True)
    ]
    values = dict(zip(NAMES, point, strict=True))
    for group in GROUPS:
        middle = mean(values[name] for name in group)
        pulls += [(values[name] - middle) / GROUP_WIDTH for name in group]
    return [*misses, *(pull * PRIOR_WEIGHT for pull in pulls)]


def fit(rows: Sequence[SpeedRow]) -> SpeedParameters:
    """The parameters that explain the fitted rows best, outliers counting less."""
    # scipy publishes no types, and all but this function works without it.
    optimize: Any = importlib.import_module("scipy.optimize")
    used = [row for row in rows if row.is_fitted]
    result = optimize.least_squares(
        compute_residuals, get_starting_point(), args=(used,), loss="soft_l1", f_scale=ROBUST_SCALE
    )
    return build_parameters(list(result.x))


def predict_left_out(rows: Sequence[SpeedRow]) -> dict[str, float]:
    """For each row the prediction of a fit that never saw its model, by the row's id."""
    predictions: dict[str, float] = {}
    for family in sorted({row.family for row in rows}):
        parameters = fit([row for row in rows if row.family != family])
        for row in rows:
            if row.family == family:
                predictions[row.id] = row.predict(parameters)
    return predictions


def list_judged(rows: Sequence[SpeedRow], predictions: Mapping[str, float]) -> list[JudgedRow]:
    """The decode rows with their class and what was measured over what was predicted unseen."""
    return [
        JudgedRow(classify_model(row.model), row.family, row.measured / predictions[row.id])
        for row in rows
        if not row.is_first_token
    ]


def compute_spread(judged: Sequence[JudgedRow], tail: float) -> Spread:
    """The ends beyond which `tail` of the models' weight lies on each side, never past 1.

    Each model weighs alike, whatever number of rows it has.
    """
    sizes = Counter(row.family for row in judged)
    ordered = sorted(judged, key=lambda row: row.ratio)
    weights = list(accumulate(1.0 / sizes[row.family] for row in ordered))
    total = weights[-1]
    low = next(row.ratio for row, sum_ in zip(ordered, weights, strict=True) if sum_ > tail * total)
    high = next(
        row.ratio
        for row, sum_ in zip(ordered, weights, strict=True)
        if sum_ >= (1.0 - tail) * total - 1e-9
    )
    return Spread(low=min(low, 1.0), high=max(high, 1.0), rows=len(judged))


def compute_spreads(judged: Sequence[JudgedRow], tail: float) -> dict[str, Spread]:
    """The spread of all decode rows and of each class with enough of them, at least as wide."""
    whole = compute_spread(judged, tail)
    spreads = {"all": whole}
    for name in sorted({row.name for row in judged}):
        members = [row for row in judged if row.name == name]
        models = {row.family for row in members}
        if len(members) >= FEWEST_ROWS_OF_A_CLASS and len(models) >= FEWEST_MODELS_OF_A_CLASS:
            spreads[name] = compute_spread(members, tail)
    return spreads


def compute_coverage(judged: Sequence[JudgedRow], tail: float) -> float:
    """The share of rows inside the range that the other models give."""
    inside = 0
    for family in {row.family for row in judged}:
        others = compute_spreads([row for row in judged if row.family != family], tail)
        for row in judged:
            if row.family == family:
                spread = others.get(row.name, others["all"])
                inside += spread.low <= row.ratio <= spread.high
    return inside / len(judged)


def choose_tail(judged: Sequence[JudgedRow]) -> float:
    """The narrowest range that holds what it says for models that it never saw."""
    return next((tail for tail in TAILS if compute_coverage(judged, tail) >= COVERAGE), TAILS[-1])


def compute_errors(rows: Sequence[SpeedRow], predictions: dict[str, float]) -> dict[str, float]:
    """Median relative error and the share of rows within 35 %."""
    misses = [abs(predictions[row.id] / row.measured - 1.0) for row in rows]
    return {
        "rows": len(misses),
        "median": round(median(misses), 4),
        "within_35_percent": round(sum(miss <= 0.35 for miss in misses) / len(misses), 4),
    }


def compute_report(
    rows: Sequence[SpeedRow], predictions: dict[str, float]
) -> dict[str, dict[str, float]]:
    """The errors of all rows, of decode rows and of rows of the first token."""
    return {
        "all": compute_errors(rows, predictions),
        "decode": compute_errors([row for row in rows if not row.is_first_token], predictions),
        "first token": compute_errors([row for row in rows if row.is_first_token], predictions),
    }


def main() -> None:
    """Fit, leave each model out in turn, write the catalogue's file and print the errors."""
    rows = load_rows()
    parameters = fit(rows)
    fitted_predictions = {row.id: row.predict(parameters) for row in rows}
    left_out = predict_left_out(rows)
    judged = list_judged(rows, left_out)
    tail = choose_tail(judged)
    document = {
        "written_by": "benchmarks/fit_throughput.py from benchmarks/data/speeds.json",
        "parameters": asdict(parameters),
        "spreads": {name: asdict(spread) for name, spread in compute_spreads(judged, tail).items()},
        "coverage": {"tail": tail, "model_left_out": round(compute_coverage(judged, tail), 4)},
        "errors": {
            "seen": compute_report(rows, fitted_predictions),
            "model_left_out": compute_report(rows, left_out),
        },
        "left_out_predictions": {name: round(value, 4) for name, value in left_out.items()},
    }
    path = str(store.DATA / "throughput.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document["errors"], indent=1))


if __name__ == "__main__":
    main()
