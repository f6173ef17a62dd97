"""Fits the speed model's parameters on benchmarks/data/speeds.json and says how well they predict.

    python -m benchmarks.fit_throughput          (needs scipy, of the dev extra)

Writes sparkform/catalogue/data/throughput.json: parameters, spread of each class, and the errors
with each model left out. benchmarks/doc_tables.py puts them into docs/prediction.md.
"""

from __future__ import annotations

import importlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from statistics import mean, median, quantiles
from typing import Any

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
    "dense 4bit": (0.7, 0.35),
    "expert 16bit": (0.75, 0.35),
    "expert 8bit": (0.6, 0.35),
    "expert 4bit-float": (0.5, 0.5),
    "expert 4bit-int": (0.5, 0.5),
    "expert 4bit-micro": (0.7, 0.5),
    "cache": (0.7, 0.5),
    "routing": (0.8, 1.0),
    "prefill dense": (0.3, 0.5),
    "prefill mixture": (0.2, 0.5),
    "trtllm experts": (0.9, 0.7),
}
AMOUNTS: dict[str, tuple[float, float]] = {
    "layer_s": (1e-4, 1.0),
    "step_s": (2e-3, 1.0),
    "sequence_s": (2e-4, 1.0),
    "collective_latencies": (4.0, 0.7),
    "first_token_s": (0.05, 1.0),
    "first_token_layer_s": (2e-3, 1.0),
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
FEWEST_MODELS_OF_A_CLASS = 2
NAMES = [*SHARES, *AMOUNTS]


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
        prefill_efficiency={"dense": share["prefill dense"], "mixture": share["prefill mixture"]},
        **amount,
    )


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
                predictions[row.source["id"]] = row.predict(parameters)
    return predictions


def compute_spread(ratios: Sequence[float]) -> Spread:
    """The ends between which eight of ten measured-over-predicted ratios lie, never past 1."""
    deciles = quantiles(ratios, n=10, method="inclusive")
    return Spread(low=min(deciles[0], 1.0), high=max(deciles[-1], 1.0), rows=len(ratios))


def compute_spreads(rows: Sequence[SpeedRow], predictions: dict[str, float]) -> dict[str, Spread]:
    """The spread of all decode rows and of each class with enough of them."""
    ratios: dict[str, list[float]] = defaultdict(list)
    families: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if not row.is_first_token:
            for name in ("all", classify_model(row.model)):
                ratios[name].append(row.measured / predictions[row.source["id"]])
                families[name].add(row.family)
    return {
        name: compute_spread(values)
        for name, values in sorted(ratios.items())
        if len(values) >= FEWEST_ROWS_OF_A_CLASS and len(families[name]) >= FEWEST_MODELS_OF_A_CLASS
    }


def compute_errors(rows: Sequence[SpeedRow], predictions: dict[str, float]) -> dict[str, float]:
    """Median relative error and the share of rows within 40 %."""
    misses = [abs(predictions[row.source["id"]] / row.measured - 1.0) for row in rows]
    return {
        "rows": len(misses),
        "median": round(median(misses), 4),
        "within_40_percent": round(sum(miss <= 0.4 for miss in misses) / len(misses), 4),
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
    fitted_predictions = {row.source["id"]: row.predict(parameters) for row in rows}
    left_out = predict_left_out(rows)
    document = {
        "written_by": "benchmarks/fit_throughput.py from benchmarks/data/speeds.json",
        "parameters": asdict(parameters),
        "spreads": {
            name: asdict(spread) for name, spread in compute_spreads(rows, left_out).items()
        },
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
