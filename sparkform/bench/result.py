"""The content of result.json: what was measured, on what, and what was predicted.

`python -m sparkform.bench.result > sparkform/bench/data/result.schema.json` writes its schema.
"""

from __future__ import annotations

import json
from typing import Final, Literal

from pydantic import Field

from sparkform.bench.load import Goodput, Load
from sparkform.bench.metrics import Metrics, RunSpread
from sparkform.bench.record import BenchRecord

Mark = Literal["trial", "even-so", "interrupted", "stand-in", "partly-unread"]
"""`trial`: a scaled-down profile. `even-so`: a node was sick. `interrupted`: the run was ended, or
the service failed in its middle. `partly-unread`: samples of a node are missing."""

FORM: Final = 1


class NodeIdentity(BenchRecord):
    """None where the node did not report it."""

    name: str
    gpu: str | None = None
    driver: str | None = None
    cuda_toolkit: str | None = None
    kernel: str | None = None


class Identity(BenchRecord):
    """What was measured. `stack_digest` is the sha256 of the stack file."""

    service: str
    engine: str
    engine_version: str | None
    runtime: str
    image: str | None
    image_digest: str | None
    model: str
    model_revision: str | None
    quantisation: str | None
    tensor_parallel: int
    pipeline_parallel: int
    data_parallel: int
    topology: str
    hardware: str
    stack_digest: str
    sparkform_version: str
    nodes: tuple[NodeIdentity, ...]

    @property
    def build(self) -> str:
        """The engine's build, by which speeds differ: its image, or its version."""
        return self.image or f"{self.engine} {self.engine_version or 'unknown'}"


class NodeLoad(BenchRecord):
    """What a node did meanwhile: means, but for peaks and sums. None where it was not read."""

    name: str
    samples: int
    gpu_power_w: float | None = None
    gpu_power_peak_w: float | None = None
    gpu_temperature_peak_c: float | None = None
    gpu_clock_mhz: float | None = None
    memory_peak_gib: float | None = None
    link_sent_gb: float | None = None
    link_received_gb: float | None = None
    clock_held_by: tuple[str, ...] = ()


class EngineLoad(BenchRecord):
    """What the engine's own metrics and log say. Shares from 0 to 1."""

    cache_use_peak: float | None = None
    cache_gib: float | None = None
    cache_tokens: int | None = None
    running_peak: float | None = None
    draft_acceptance: float | None = None


class Expectation(BenchRecord):
    """What the speed model says of the same load; the range is of like models. `user_tok_s`: one
    request's after its first token. `output_tok_s`: all requests', waiting for first tokens too."""

    user_tok_s: float
    output_tok_s: float
    output_low_tok_s: float
    output_high_tok_s: float
    ttft_ms: float


class Run(BenchRecord):
    """One run of a load. `tokens_per_joule`: output, by the power of all nodes' GPUs."""

    started_unix_s: float
    metrics: Metrics
    nodes: tuple[NodeLoad, ...] = ()
    served: EngineLoad = EngineLoad()
    tokens_per_joule: float | None = None


class Measurement(BenchRecord):
    """A load with its runs. `spread` is between runs where there are several, else between waves of
    the one run: how two runs of the same service differ is not in it."""

    load: Load
    runs: tuple[Run, ...]
    spread: RunSpread
    expected: Expectation | None = None

    @property
    def best_known(self) -> Metrics:
        """The median run by throughput."""
        ranked = sorted(self.runs, key=lambda run: run.metrics.output_tok_s)
        return ranked[len(ranked) // 2].metrics


class BenchmarkResult(BenchRecord):
    """`warnings` are whole sentences, for the person who reads the report."""

    form: Literal[1] = FORM
    created_unix_s: float
    driver: str
    driver_version: str
    identity: Identity
    goodput: Goodput | None = None
    marks: tuple[Mark, ...] = ()
    warnings: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = Field(min_length=1)


def build_schema() -> dict[str, object]:
    return BenchmarkResult.model_json_schema(by_alias=True)


if __name__ == "__main__":
    print(json.dumps(build_schema(), indent=1))
