"""The tables of docs/prediction.md and docs/corrections.md that compare with measurements."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from benchmarks.markdown import render_table
from benchmarks.speed_rows import (
    SpeedRow,
    load_claims,
    load_drawn_rows,
    load_rows,
    load_rows_by_facts,
)
from sparkform.catalogue import store
from sparkform.sizing.calibration import load_calibration
from sparkform.sizing.throughput_ranges import classify_model

CLOSE = 0.35


def load_fit() -> dict[str, Any]:
    """The file that the fit wrote."""
    document: dict[str, Any] = json.loads(
        (store.DATA / "throughput.json").read_text(encoding="utf-8")
    )
    return document


def render_errors() -> str:
    """How far predictions lie from measurements, with and without the model in the fit."""
    names = {"seen": "model in the fit", "model_left_out": "model left out"}
    rows = [
        [
            names[kind],
            kind_of_rows,
            str(figures["rows"]),
            f"{figures['median']:.1%}",
            f"{figures['within_35_percent']:.1%}",
        ]
        for kind, parts in load_fit()["errors"].items()
        for kind_of_rows, figures in parts.items()
    ]
    rows += _render_errors_of("drawn", load_drawn_rows())
    rows += _render_errors_of("by modelFacts alone", load_rows_by_facts())
    return render_table(["fit", "rows of", "rows", "median error", "within 35 %"], rows)


def _render_errors_of(name: str, measured: Iterable[SpeedRow]) -> list[list[str]]:
    """The errors of rows that the stored fit answers as it is."""
    parameters = load_calibration().parameters
    misses: dict[str, list[float]] = {"decode": [], "first token": []}
    for row in measured:
        kind = "first token" if row.is_first_token else "decode"
        misses[kind].append(abs(row.predict(parameters) / row.measured - 1))
    return [
        [
            name,
            kind,
            str(len(errors)),
            f"{median(errors):.1%}",
            f"{sum(miss <= CLOSE for miss in errors) / len(errors):.1%}",
        ]
        for kind, errors in misses.items()
    ]


def render_spreads() -> str:
    """The ranges of the classes, and how much of what they never saw they hold."""
    spreads = load_calibration().spreads
    rows = [
        [name, str(spread.rows), f"{spread.low:.2f}", f"{spread.high:.2f}"]
        for name, spread in spreads.items()
    ]
    inside = list_drawn_inside()
    held = load_fit()["coverage"]["model_left_out"]
    sentence = (
        f"Inside the range: {held:.0%} of the rows by the range of the other models, "
        f"{sum(inside)} of {len(inside)} drawn rows."
    )
    return f"{render_table(['class', 'rows', 'low', 'high'], rows)}\n\n{sentence}"


def list_drawn_inside() -> list[bool]:
    """Of each drawn decode row whether it lies in the printed range."""
    calibration = load_calibration()
    answers = []
    for row in load_drawn_rows():
        if not row.is_first_token:
            spread = calibration.spreads.get(classify_model(row.model), calibration.spreads["all"])
            ratio = row.measured / row.predict(calibration.parameters)
            answers.append(spread.low <= ratio <= spread.high)
    return answers


def render_judged_rows() -> str:
    """Each row with the prediction of a fit that never saw its model."""
    unseen = load_fit()["left_out_predictions"]
    rows = [_render_judged_row(row, unseen[row.id]) for row in load_rows()]
    heads = ["row", "model", "set-up", "at once", "prompt", "measured", "predicted", "error"]
    return render_table(heads, rows)


def _render_judged_row(row: SpeedRow, predicted: float) -> list[str]:
    source = row.source
    cut = render_cut({"TP": source["tp"], "PP": source["pp"], "DP": source.get("dp", 1)})
    parts = [source["engine"], source["quant"], cut, "" if row.is_fitted else "(not fitted)"]
    return [
        source["id"],
        source["model"],
        " ".join(part for part in parts if part),
        str(source["concurrency"]),
        str(source.get("prompt_tokens", "")),
        _render_value(source["value"], "-") + (" s" if row.is_first_token else ""),
        f"{predicted:.3g}",
        f"{predicted / row.measured - 1:+.0%}",
    ]


def render_cut(counts: Mapping[str, int]) -> str:
    """The kinds of ranks of which there are several."""
    return " ".join(f"{kind}={count}" for kind, count in counts.items() if count > 1)


def _render_value(value: float | list[float], joint: str) -> str:
    """A figure, or both ends of a range."""
    return joint.join(str(end) for end in value) if isinstance(value, list) else str(value)


def render_rejected_claims() -> str:
    """Stated speeds that are above the bandwidth."""
    rows = []
    for claim in filter(lambda claim: claim.is_rejected, load_claims()):
        stated = _render_value(claim.source["value"], " to ")
        set_up = f"{claim.source['quant']}, TP={claim.source['tp']}"
        rows.append(
            [
                claim.source["model"],
                set_up,
                stated,
                f"{claim.bound_tok_s:.1f}",
                claim.source["source"],
            ]
        )
    return render_table(["model", "set-up", "claimed tok/s", "bound tok/s", "source"], rows)
