"""Writes the computed tables of three pages in docs/ and of benchmarks/tables.md.

python -m benchmarks.doc_tables            rewrite what stands between the markers
python -m benchmarks.doc_tables --check    exit 1 if a table is not what the code computes
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.gpu_speeds import render_gpu_speeds
from benchmarks.markdown import render_table
from benchmarks.memory_table import render_memory, render_memory_kinds
from benchmarks.speed_tables import (
    render_cut,
    render_errors,
    render_judged_rows,
    render_rejected_claims,
    render_spreads,
)
from sparkform.catalogue import store
from sparkform.catalogue.describe import describe_model
from sparkform.models.shape import (
    count_active_parameters,
    count_kv_elements_beyond_windows,
    count_kv_elements_per_token,
    count_parameters,
)
from sparkform.sizing.calibration import build_machine, load_calibration
from sparkform.sizing.fit import Fit, find_best_fit
from sparkform.sizing.memory_budget import Demand
from sparkform.sizing.node_memory import get_node_memory
from sparkform.sizing.row_request import predict_row

ROOT = Path(__file__).parents[1]
NODE_COUNTS = (1, 2, 3, 4, 8)
# Presets of trt-dgx-spark, the 405B, and the models that people serve on Sparks by the reports.
SHOWN_MODELS = (
    "nvidia/Qwen3-235B-A22B-FP4",
    "openai/gpt-oss-120b",
    "openai/gpt-oss-20b",
    "meta-llama/Llama-3.3-70B-Instruct",
    "nvidia/Llama-3.3-70B-Instruct-NVFP4",
    "Qwen/Qwen2.5-72B-Instruct",
    "Qwen/Qwen2.5-32B-Instruct",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "hugging-quants/Meta-Llama-3.1-405B-Instruct-AWQ-INT4",
    "Intel/Qwen3.5-397B-A17B-int4-AutoRound",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4",
    "MiniMaxAI/MiniMax-M2.5",
    "deepseek-ai/DeepSeek-V4-Flash",
    "zai-org/GLM-5-FP8",
    "nvidia/DeepSeek-V3.1-NVFP4",
)
PREDICTED_AT = ((1, 1), (1, 16), (2, 1), (2, 16))


def render_sizes() -> str:
    """Weights, cache and the largest context of the shown models on some node counts."""
    rows = [[name, *_render_size_cells(name)] for name in SHOWN_MODELS]
    counts = [f"{count} node{'s' * (count > 1)}" for count in NODE_COUNTS]
    return render_table(["model", "quant", "weights GiB", "bytes a token", *counts], rows)


def _render_size_cells(name: str) -> list[str]:
    subject = describe_model(name, config=None, facts=None, quant=None)
    demand = Demand(shape=subject.shape, quantisation=subject.quantisation)
    answers = [find_best_fit(demand, get_node_memory("vllm"), count) for count in NODE_COUNTS]
    cells = [_render_fit(answer) for answer in answers]
    bytes_per_token = count_kv_elements_per_token(subject.shape) * 2
    growing = round(count_kv_elements_beyond_windows(subject.shape) * 2)
    cache = (
        f"{bytes_per_token:,}"
        if growing == bytes_per_token
        else f"{bytes_per_token:,} ({growing:,})"
    )
    return [subject.quantisation.name, f"{answers[0].weights_gib_per_node:.1f}", cache, *cells]


def _render_fit(answer: Fit) -> str:
    """The longest context, with the cut where there is one; or what is missing."""
    if not answer.fits:
        return f"lacks {-answer.free_gib:.1f} GiB"
    cut = render_cut({"TP": answer.tensor_parallel, "PP": answer.pipeline_parallel})
    return f"{cut}: {answer.max_context:,}".removeprefix(": ")


def render_speeds() -> str:
    """Predictions for the shown models where they fit."""
    rows = [
        [name, *(_render_speed_cell(name, *case) for case in PREDICTED_AT)] for name in SHOWN_MODELS
    ]
    heads = [f"{nodes} node{'s' * (nodes > 1)}, {batch} at once" for nodes, batch in PREDICTED_AT]
    return render_table(["model", *heads], [row for row in rows if set(row[1:]) != {"-"}])


def _render_speed_cell(name: str, nodes: int, batch: int) -> str:
    subject = describe_model(name, config=None, facts=None, quant=None)
    demand = Demand(shape=subject.shape, quantisation=subject.quantisation, batch=batch)
    answer = find_best_fit(demand, get_node_memory("vllm"), nodes)
    if not answer.fits:
        return "-"
    row = {
        "tp": answer.tensor_parallel,
        "pp": answer.pipeline_parallel,
        "concurrency": batch,
        "prompt_tokens": 1024,
    }
    prediction = predict_row(subject, row, build_machine())
    low, high = prediction.decode_low_tok_s, prediction.decode_high_tok_s
    return f"{prediction.speed.decode_tok_s:.1f} ({low:.1f}-{high:.1f})"


def render_shapes() -> str:
    """The shapes of the catalogue with their computed and published counts."""
    rows = []
    for model in store.list_models():
        subject = describe_model(model.checkpoints[0].handle, config=None, facts=None, quant=None)
        published = model.published_parameters
        is_verified = all(figures.verified for figures in model.figures)
        rows.append(
            [
                model.name if is_verified else f"{model.name} (?)",
                f"{count_parameters(subject.shape) / 1e9:.2f}",
                f"{published.value / 1e9:.1f}" if published else "none read",
                f"{count_active_parameters(subject.shape) / 1e9:.2f}",
                str(len(subject.shape.blocks)),
            ]
        )
    return render_table(["model", "parameters", "published", "active", "layers"], rows)


def render_parameters() -> str:
    """The fitted parameters."""
    rows = []
    for name, value in vars(load_calibration().parameters).items():
        if isinstance(value, float):
            rows.append([name, f"{value:.4g}"])
        else:
            rows += [[f"{name} {key}", f"{item:.4g}"] for key, item in value.items()]
    return render_table(["parameter", "value"], rows)


TABLES: dict[str, dict[str, Callable[[], str]]] = {
    "docs/sizes.md": {"sizes": render_sizes, "memory": render_memory},
    "docs/prediction.md": {
        "errors": render_errors,
        "spreads": render_spreads,
        "speeds": render_speeds,
    },
    "docs/corrections.md": {"claims": render_rejected_claims},
    "benchmarks/tables.md": {
        "parameters": render_parameters,
        "rows": render_judged_rows,
        "shapes": render_shapes,
        "memory": render_memory_kinds,
        "gpus": render_gpu_speeds,
    },
}


def rewrite_tables(text: str, tables: dict[str, Callable[[], str]]) -> str:
    """The text with each marked table computed anew. Raises LookupError for a missing marker."""
    for name, compute in tables.items():
        match = re.search(f"<!-- table {name} -->\n.*?<!-- end -->", text, re.DOTALL)
        if not match:
            raise LookupError(f"no marker for the table {name}")
        start, end = f"<!-- table {name} -->\n", "<!-- end -->"
        text = text.replace(match[0], f"{start}{compute()}\n{end}")
    return text


def main() -> None:
    """Rewrite the tables, or check them."""
    stale = []
    for name, tables in TABLES.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = rewrite_tables(old, tables)
        if new != old:
            stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(new, encoding="utf-8")
    print(f"stale: {', '.join(stale) or 'none'}")
    sys.exit(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    main()
