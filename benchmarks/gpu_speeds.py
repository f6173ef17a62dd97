"""The speed model on NVIDIA GPUs that are no Sparks: measured, predicted, and what was fitted.

python -m benchmarks.gpu_speeds          the table, as it stands in benchmarks/tables.md
python -m benchmarks.gpu_speeds --fit    the shares that an H100's rows give

Launch overheads and first tokens are a machine's and an engine's, not a model's. A machine's are
shares of what was fitted on GB10. Four of the H100's rows give them; of the H200 one row gives the
launches' share, and all else is the H100's, so that its other rows are held out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.markdown import render_table
from node.host.plain import as_list, as_mapping
from sparkform.catalogue.describe import describe_model
from sparkform.sizing.calibration import build_machine, load_calibration
from sparkform.sizing.split import Cut
from sparkform.sizing.throughput import (
    MachineShares,
    NodePerformance,
    Speed,
    Traffic,
    predict_speed,
)
from sparkform.sizing.throughput_load import ServedModel

DATA = Path(__file__).parent / "data" / "gpu_speeds.json"
FIRST_TOKEN = "ttft_s"
FITTED, OTHER = "h100", "h200"
LONG_PROMPT = 7680
WIDE = 0.35
HALVINGS = 60


@dataclass(frozen=True)
class GpuRow:
    """One measurement, tokens a second or seconds to the first."""

    model: str
    hardware: str
    quant: str | None
    tp: int
    link: str
    concurrency: int
    prompt_tokens: int
    output_tokens: int
    metric: str
    value: float
    measured: str

    @property
    def is_first_token(self) -> bool:
        return self.metric == FIRST_TOKEN

    def predict(self, shares: MachineShares | None = None) -> float:
        """With the machine's own shares, or with others."""
        machine = build_machine(self.link, self.hardware)
        traffic = Traffic(
            concurrency=self.concurrency,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
        )
        speed = predict_on_gpu(
            ServedCheckpoint(self.model, self.quant, self.tp),
            traffic,
            machine if shares is None else replace(machine, shares=shares),
        )
        return speed.ttft_s if self.is_first_token else speed.decode_tok_s


@dataclass(frozen=True)
class ServedCheckpoint:
    """By its handle, cut over `tp` GPUs."""

    model: str
    quant: str | None
    tp: int = 1


def predict_on_gpu(
    checkpoint: ServedCheckpoint, traffic: Traffic, machine: NodePerformance
) -> Speed:
    """Of vLLM, by the fitted model."""
    subject = describe_model(checkpoint.model, config=None, facts=None, quant=checkpoint.quant)
    model = ServedModel(
        shape=subject.shape,
        quantisation=subject.quantisation,
        cut=Cut(tensor_parallel=checkpoint.tp, pipeline_parallel=1),
        engine="vllm",
    )
    return predict_speed(model, traffic, machine, load_calibration().parameters)


def load_rows() -> list[GpuRow]:
    document = as_mapping(json.loads(DATA.read_text(encoding="utf-8")))
    defaults: Mapping[str, object] = {"quant": None, "link": "direct"}
    return [GpuRow(**{**defaults, **as_mapping(row)}) for row in as_list(document["rows"])]


def fit_shares(rows: Sequence[GpuRow]) -> MachineShares:
    """Decode of the dense model and of the mixture, each at one request; two first tokens."""
    own = [row for row in rows if row.hardware == FITTED and row.concurrency == 1]
    dense, mixture = [row for row in own if not row.is_first_token][:2]
    short, long = [row for row in own if row.is_first_token and row.model == dense.model]
    assert long.prompt_tokens == LONG_PROMPT
    shares = MachineShares()
    launch = bisect(lambda share: dense.predict(replace(shares, launch=share)) - dense.value)
    shares = replace(shares, launch=launch)
    mixture_launch = bisect(
        lambda share: mixture.predict(replace(shares, mixture_launch=share)) - mixture.value
    )
    shares = replace(shares, mixture_launch=mixture_launch)
    for _ in range(HALVINGS):
        shares = fit_prefill(shares, long)
        shares = fit_first_token(shares, short)
    return shares


def fit_prefill(shares: MachineShares, row: GpuRow) -> MachineShares:
    """By a long prompt, which is mostly computed."""
    slowness = bisect(
        lambda slowness: row.value - row.predict(replace(shares, prefill=1 / slowness)), 0.1
    )
    return replace(shares, prefill=1 / slowness)


def fit_first_token(shares: MachineShares, row: GpuRow) -> MachineShares:
    """By a short prompt, which is mostly launched."""
    share = bisect(lambda share: row.value - row.predict(replace(shares, first_token=share)))
    return replace(shares, first_token=share)


def fit_from_one_row(rows: Sequence[GpuRow], known: MachineShares) -> MachineShares:
    """Another machine's: its launches by one row, mixtures' in the known ratio."""
    row = find_anchor(rows)

    def scale(factor: float) -> MachineShares:
        launch, mixture = known.launch * factor, known.mixture_launch * factor
        return replace(known, launch=launch, mixture_launch=mixture)

    return scale(bisect(lambda factor: row.predict(scale(factor)) - row.value, high=10.0))


def find_anchor(rows: Sequence[GpuRow]) -> GpuRow:
    """The first row of the other machine: a dense model at one request."""
    return next(row for row in rows if row.hardware == OTHER)


def bisect(excess: Callable[[float], float], low: float = 0.0, high: float = 2.0) -> float:
    """The zero of a function that falls."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2


def render_rows(rows: Sequence[GpuRow]) -> str:
    table = []
    for row in rows:
        predicted = row.predict()
        digits = 3 if row.is_first_token else 1
        table.append(
            (
                f"{row.model.partition('/')[2]}{f' {row.quant}' if row.quant else ''}",
                f"{row.hardware}{f' x{row.tp}' if row.tp > 1 else ''}",
                *(row.measured, str(row.concurrency), str(row.prompt_tokens)),
                "first token s" if row.is_first_token else "decode tok/s",
                *(f"{row.value:,.{digits}f}", f"{predicted:,.{digits}f}"),
                f"{predicted / row.value - 1:+.0%}",
            )
        )
    headings = ("model", "machine", "measured", "at once", "prompt", "what", "was", "predicted")
    return render_table((*headings, "error"), table)


def describe_errors(rows: Sequence[GpuRow]) -> str:
    errors = [abs(row.predict() / row.value - 1) for row in rows]
    within = sum(error <= WIDE for error in errors)
    return f"median {median(errors):.1%}, within 35 %: {within} of {len(errors)}"


def render_gpu_speeds() -> str:
    rows = load_rows()
    held_out = [row for row in rows if row.hardware == OTHER and row != find_anchor(rows)]
    decode = [row for row in held_out if not row.is_first_token]
    first = [row for row in held_out if row.is_first_token]
    summary = f"Held out (H200): decode {describe_errors(decode)}; "
    return f"{render_rows(rows)}\n\n{summary}first token {describe_errors(first)}."


def main(
    fit: Annotated[bool, typer.Option(help="Print the shares that are fitted.")] = False,
) -> None:
    if not fit:
        print(render_gpu_speeds())
        return
    rows = load_rows()
    known = fit_shares(rows)
    print(FITTED, known)
    print(OTHER, fit_from_one_row(rows, known))


if __name__ == "__main__":
    typer.run(main)
