"""What an engine's own metrics say of its work: vLLM's and TensorRT-LLM's, as text or JSON. Pure.

vLLM serves /metrics; `iteration_tokens_total` counts its steps (vllm/v1/metrics/loggers.py).
trtllm-serve serves /prometheus/metrics and, as JSON, /metrics: statistics of the iterations since
the last question, so none are no silence (docs/source/commands/trtllm-serve.rst).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.host.plain import as_list, as_mapping
from node.supervision.pulse import ONLY, EngineSigns

PATHS: Mapping[str, tuple[str, ...]] = {
    "vllm": ("/metrics",),
    "trtllm": ("/prometheus/metrics", "/metrics"),
}
NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|NaN|[+-]Inf"
SAMPLE = re.compile(rf"^(?:vllm|trtllm)[:_](\w+)(?:\{{([^}}]*)\}})? ({NUMBER})", re.M)
ENGINE = re.compile(r'(?:^|,)engine="([^"]*)"')
STEPS = ("iteration_tokens_total_count", "kv_cache_usage_perc", "kv_cache_utilization")
TOKENS = "generation_tokens_total"
MOVING = (
    *STEPS,
    *(TOKENS, "prompt_tokens_total", "request_success_total", "request_error_total"),
)
RUNNING, WAITING = "num_requests_running", "num_requests_waiting"
CACHE = ("kv_cache_usage_perc", "kv_cache_utilization")


@dataclass(frozen=True)
class EngineFigures:
    """Signs, and what people want to see of them."""

    signs: EngineSigns
    tokens_total: float | None = None
    cache_use: float | None = None


def parse_metrics(text: str) -> EngineFigures | None:
    """Of Prometheus' text; None where it names nothing that moves."""
    samples = [(name, _find_engine(labels), value) for name, labels, value in _list_samples(text)]
    moving: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for name, engine, value in samples:
        if name in MOVING:
            figures = moving[engine]
            figures[name] = figures.get(name, 0.0) + value
    if not moving:
        return None
    names = {name for figures in moving.values() for name in figures}
    signs = EngineSigns(
        moving={engine: _sort_values(figures) for engine, figures in moving.items()},
        running=_sum(samples, RUNNING),
        waiting=_sum(samples, WAITING),
        is_complete=bool(names & set(STEPS)),
    )
    cache_uses = [value for name, _, value in samples if name in CACHE]
    return EngineFigures(signs, _sum(samples, TOKENS), max(cache_uses, default=None))


def parse_iterations(text: str) -> EngineFigures | None:
    """Of trtllm-serve's JSON; None where it says nothing of an iteration."""
    try:
        entries = [as_mapping(entry) for entry in as_list(json.loads(text))]
    except ValueError:
        return None
    entries = [entry for entry in entries if isinstance(entry.get("iter"), int)]
    if not entries:
        return None
    newest = max(entries, key=lambda entry: int(entry["iter"]))
    return EngineFigures(
        EngineSigns(
            {ONLY: (float(newest["iter"]),)},
            _get_number(newest, "numActiveRequests"),
            _get_number(newest, "numQueuedRequests"),
            is_complete=True,
        )
    )


def _list_samples(text: str) -> Iterable[tuple[str, str, float]]:
    for match in SAMPLE.finditer(text):
        yield match[1], match[2] or "", float(match[3])


def _find_engine(labels: str) -> str:
    match = ENGINE.search(labels)
    return match[1] if match else ONLY


def _sort_values(figures: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(figures[name] for name in sorted(figures))


def _sum(samples: Iterable[tuple[str, str, float]], wanted: str) -> float | None:
    values = [value for name, _, value in samples if name == wanted]
    return sum(values) if values else None


def _get_number(entry: Mapping[str, object], name: str) -> float | None:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) else None
