"""Results of benchmarks, made by hand: requests of known times, to be changed by tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkform.bench.load import Load
from sparkform.bench.metrics import compute_metrics, measure_runs, measure_waves
from sparkform.bench.requests import RequestRecord
from sparkform.bench.result import (
    BenchmarkResult,
    Expectation,
    Identity,
    Measurement,
    NodeIdentity,
    NodeLoad,
    Run,
)
from sparkform.commands.bench.folder import ResultFolder

LOAD = Load(profile="quick", prompts=8, input_tokens=128, output_tokens=11, concurrency=2)
NODE = NodeLoad(
    name="spark-1",
    samples=9,
    gpu_power_w=52.0,
    gpu_power_peak_w=61.0,
    gpu_temperature_peak_c=64.0,
    gpu_clock_mhz=2411.0,
    memory_peak_gib=71.5,
    link_sent_gb=1.25,
    link_received_gb=1.5,
)


def build_request(start_s: float = 0.0, slowness: float = 1.0, **changes: Any) -> RequestRecord:
    """11 tokens: the first after 0.5 s, then one each 0.05 s."""
    fields: dict[str, Any] = {
        "start_s": start_s,
        "ttft_s": 0.5 * slowness,
        "e2e_s": 1.0 * slowness,
        "gaps_s": (0.05 * slowness,) * 10,
        "input_tokens": 128,
        "output_tokens": 11,
        "outcome": "answered",
    }
    return RequestRecord(**fields | changes)


def build_requests(
    slowness: Sequence[float] = (1.0, 1.02, 0.98, 1.0), size: int = 2
) -> list[RequestRecord]:
    """Waves of `size` requests, one after the other, each as slow as it says."""
    requests, start_s = [], 0.0
    for factor in slowness:
        requests += [build_request(start_s, factor) for _ in range(size)]
        start_s += factor
    return requests


def build_measurement(
    *runs: Sequence[RequestRecord], load: Load = LOAD, expected: bool = True
) -> Measurement:
    """Runs of the same load; one of build_requests where none is given."""
    taken = runs or (build_requests(),)
    metrics = [compute_metrics(requests) for requests in taken]
    spread = measure_runs(metrics) if len(taken) > 1 else measure_waves(taken[0], load)
    return Measurement(
        load=load,
        runs=tuple(Run(started_unix_s=0.0, metrics=metric, nodes=(NODE,)) for metric in metrics),
        spread=spread,
        expected=Expectation(
            user_tok_s=14.0,
            output_tok_s=25.0,
            output_low_tok_s=18.0,
            output_high_tok_s=31.0,
            ttft_ms=450.0,
        )
        if expected
        else None,
    )


def build_identity(**changes: Any) -> Identity:
    fields: dict[str, Any] = {
        "service": "qwen",
        "engine": "vllm",
        "engine_version": "0.32.0",
        "runtime": "container",
        "image": "vllm/vllm-openai:v0.32.0",
        "image_digest": "sha256:" + "1" * 64,
        "model": "Qwen/Qwen3-8B",
        "model_revision": "2" * 40,
        "quantisation": "16bit",
        "tensor_parallel": 1,
        "pipeline_parallel": 1,
        "data_parallel": 1,
        "topology": "none",
        "hardware": "gb10-128",
        "stack_digest": "3" * 64,
        "sparkform_version": "0.1.0",
        "nodes": (NodeIdentity(name="spark-1", gpu="NVIDIA GB10", driver="580.95.05"),),
    }
    return Identity(**fields | changes)


def build_result(*measurements: Measurement, **changes: Any) -> BenchmarkResult:
    fields: dict[str, Any] = {
        "created_unix_s": 1_795_960_000.0,
        "driver": "aiperf",
        "driver_version": "0.13.0",
        "identity": build_identity(),
        "measurements": measurements or (build_measurement(),),
    }
    return BenchmarkResult(**fields | changes)


def write_result(path: Path, result: BenchmarkResult | None = None) -> Path:
    """A result folder with the requests of build_requests."""
    folder = ResultFolder(path)
    folder.append_requests(build_requests())
    folder.write_result(result or build_result())
    return path
