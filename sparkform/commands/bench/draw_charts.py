"""Charts of a result folder, as PNG and as SVG for the report. Run by the load generator's Python,
which has matplotlib: `python draw_charts.py RESULT_FOLDER SVG_FOLDER`.

Texts and axes of the SVG have one colour, which the report replaces by that of its scheme.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#123456"
COLOURS = ("#2f7ed8", "#d9822b", "#2f9e62", "#b0539b", "#8a6d3b", "#c0392b", "#5f6fc4", "#4c9aa8")
"""Each is told from white and from near black: relative luminance from 0.1 to 0.3."""

SIZE = (8.0, 3.6)
DPI = 110
Document = Mapping[str, Any]
"""Of the result and its lines: this program stands alone, and knows no form of them."""

STYLE: Mapping[str, object] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def main(result_folder: str, svg_folder: str) -> None:
    source, target = Path(result_folder), Path(svg_folder)
    result = json.loads((source / "result.json").read_text(encoding="utf-8"))
    requests = read_lines(source / "requests.jsonl")
    samples = read_lines(source / "samples.jsonl")
    matplotlib.rcParams.update(STYLE)
    for name, figure in draw_all(result, requests, samples):
        with matplotlib.rc_context({"svg.hashsalt": name}):
            figure.savefig(target / f"{name}.svg", transparent=True, metadata={"Date": None})
        figure.savefig(source / f"{name}.png", dpi=DPI, facecolor="white")
        pyplot.close(figure)


def read_lines(path: Path) -> list[Document]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def draw_all(
    result: Document, requests: Sequence[Document], samples: Sequence[Document]
) -> Iterator[tuple[str, Figure]]:
    remark = "stand-in engine: " if "stand-in" in result["marks"] else ""
    yield "throughput", draw_throughput(result, remark)
    yield "latency", draw_latencies(result, remark)
    if any("ttftS" in request for request in requests):
        yield "requests", draw_requests(result, requests, remark)
    if samples:
        yield "nodes", draw_nodes(samples, remark)


def list_labels(result: Document) -> list[str]:
    """The concurrency where that is all that differs, else the load's name too."""
    loads = [measurement["load"] for measurement in result["measurements"]]
    names = {(load["profile"], load["inputTokens"], load["outputTokens"]) for load in loads}
    labels = []
    for load in loads:
        pace = f"{load['ratePerS']:g}/s" if load.get("ratePerS") else f"{load['concurrency']}"
        labels.append(pace if len(names) == 1 else f"{load['profile']}\nat {pace}")
    return labels


def draw_throughput(result: Document, remark: str) -> Figure:
    figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
    labels, measured, errors, predicted = list_labels(result), [], [], []
    for measurement in result["measurements"]:
        runs = [run["metrics"]["outputTokS"] for run in measurement["runs"]]
        measured.append(sum(runs) / len(runs))
        sample = measurement["spread"].get("outputTokS") or {}
        errors.append(sample.get("deviation") or 0.0)
        predicted.append(measurement.get("expected"))
    places = range(len(labels))
    axes.bar(places, measured, 0.6, yerr=errors, color=COLOURS[0], ecolor=INK, label="measured")
    for place, expected in zip(places, predicted, strict=True):
        if expected:
            middle, low = expected["outputTokS"], expected["outputLowTokS"]
            ends = [[middle - low], [expected["outputHighTokS"] - middle]]
            label = "predicted, with its range" if place == 0 else None
            axes.errorbar(place, middle, ends, fmt="D", color=COLOURS[1], capsize=5, label=label)
    finish(axes, f"{remark}output, tokens a second", labels)
    return figure


def draw_latencies(result: Document, remark: str) -> Figure:
    figure, panels = pyplot.subplots(1, 2, figsize=SIZE, layout="constrained")
    labels = list_labels(result)
    for axes, key, title in zip(
        panels, ("ttftMs", "itlMs"), ("first token", "between tokens"), strict=True
    ):
        for colour, share in zip(COLOURS, ("p50", "p90", "p99"), strict=False):
            values = [
                (measurement["runs"][-1]["metrics"].get(key) or {}).get(share)
                for measurement in result["measurements"]
            ]
            heights = [float("nan") if value is None else value for value in values]
            axes.plot(range(len(labels)), heights, "o-", color=colour, label=share)
        axes.set_ylim(bottom=0)
        finish(axes, f"{remark}{title}, ms", labels)
    return figure


def draw_requests(result: Document, requests: Sequence[Document], remark: str) -> Figure:
    """The share of requests that waited no longer, by load."""
    figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
    for number, label in enumerate(list_labels(result)):
        times = sorted(
            request["ttftS"] * 1000
            for request in requests
            if request.get("load", 0) == number and "ttftS" in request
        )
        if times:
            shares = [(place + 1) / len(times) for place in range(len(times))]
            colour = COLOURS[number % len(COLOURS)]
            axes.step(times, shares, where="post", color=colour, label=label.replace("\n", " "))
    axes.set_xlabel("ms")
    axes.set_ylim(0, 1.02)
    axes.set_title(f"{remark}share of requests with a first token by then", loc="left", fontsize=10)
    axes.legend()
    return figure


def draw_nodes(samples: Sequence[Document], remark: str) -> Figure:
    """Of the first GPU of each node; a gap where it was not read."""
    figure, panels = pyplot.subplots(1, 3, figsize=SIZE, layout="constrained")
    nodes = list(dict.fromkeys(sample["node"] for sample in samples))
    keys = ("power_w", "temperature_c", "clock_sm_mhz")
    for axes, key, title in zip(panels, keys, ("power, W", "GPU, °C", "clock, MHz"), strict=True):
        for number, node in enumerate(nodes):
            own = [sample for sample in samples if sample["node"] == node]
            values = [read_gpu(sample, key) for sample in own]
            times = [sample["atS"] for sample in own]
            axes.plot(times, values, color=COLOURS[number % len(COLOURS)], label=node)
        axes.set_title(f"{remark}{title}", loc="left", fontsize=10)
        axes.set_xlabel("s")
    panels[0].legend()
    return figure


def read_gpu(sample: Document, key: str) -> float:
    telemetry = sample.get("telemetry") or {}
    gpus = telemetry.get("gpus")
    value = gpus[0].get(key) if isinstance(gpus, list) and gpus else None
    return float(value) if isinstance(value, int | float) else float("nan")


def finish(axes: Axes, title: str, labels: Sequence[str]) -> None:
    axes.set_xticks(range(len(labels)), labels)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("requests at once")
    axes.legend()


if __name__ == "__main__":
    main(*sys.argv[1:])
