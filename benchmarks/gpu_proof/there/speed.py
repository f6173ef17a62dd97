"""Each shape's planned launch, served and measured by the engine's own `vllm bench serve`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.gpu_proof.there.launches import Parcel, ProofLaunch, build_unit
from benchmarks.gpu_proof.there.serving import StartOutcome, await_token, read_metrics

START_LIMIT_S = 240.0
LOAD_LIMIT_S = 150.0
PROMPT_TOKENS, OUTPUT_TOKENS = 1024, 256
CONCURRENCIES = (1, 8, 32)
REQUESTS_A_CLIENT = 2
FIGURES = ("median_ttft_ms", "mean_tpot_ms", "median_tpot_ms", "output_throughput", "completed")
GRACE_S = 20.0


def measure_shape(
    parcel: Parcel,
    launches: Sequence[ProofLaunch],
    out: Path,
    concurrencies: Sequence[int] = CONCURRENCIES,
) -> dict[str, object]:
    """Start each rank, measure, end. What failed is in the answer; nothing is raised for it."""
    launch = launches[0]
    units = [
        build_unit(parcel, planned, f"speed-{planned.shape}-{rank}", out)
        for rank, planned in enumerate(launches)
    ]
    for unit in units:
        unit.start()
    outcome = await_token(units[0], launch, START_LIMIT_S)
    rows: list[dict[str, object]] = []
    if outcome.is_ready or is_open(outcome):
        # The first one compiles what is left to compile, and is no measurement.
        measure_load(parcel, launch, max(concurrencies), out)
        rows = [measure_load(parcel, launch, concurrency, out) for concurrency in concurrencies]
        (out / f"metrics-{launch.shape}.txt").write_text(read_metrics(launch))
    codes = [unit.end(GRACE_S) for unit in units]
    return {
        "shape": launch.shape,
        "start": asdict(outcome),
        "differences": [planned.differences for planned in launches],
        "loads": rows,
        "exit_codes": codes,
    }


def is_open(outcome: StartOutcome) -> bool:
    """gpt-oss without its vocabulary files refuses each chat, and completes all the same."""
    return " answers 5" in outcome.answer


def measure_load(
    parcel: Parcel, launch: ProofLaunch, concurrency: int, out: Path
) -> dict[str, object]:
    result = out / f"load-{launch.shape}-{concurrency}.json"
    command = [
        *(str(parcel.bin / "vllm"), "bench", "serve", "--backend", "openai"),
        *("--base-url", launch.url, "--endpoint", "/v1/completions"),
        *("--model", launch.served_name, "--tokenizer", find_model_folder(launch)),
        *("--dataset-name", "random", "--ignore-eos", "--seed", str(concurrency)),
        *("--random-input-len", str(PROMPT_TOKENS), "--random-output-len", str(OUTPUT_TOKENS)),
        *("--num-prompts", str(concurrency * REQUESTS_A_CLIENT)),
        *("--max-concurrency", str(concurrency)),
        *("--save-result", "--result-dir", str(out), "--result-filename", result.name),
    ]
    unit = build_unit(parcel, launch, "load", out)
    try:
        completed = subprocess.run(
            command,
            env={**unit.environment, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=LOAD_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return {"concurrency": concurrency, "failed": f"no end within {LOAD_LIMIT_S:g} s"}
    if completed.returncode != 0 or not result.exists():
        return {"concurrency": concurrency, "failed": completed.stderr[-600:]}
    figures = json.loads(result.read_text())
    return {"concurrency": concurrency, **{name: figures.get(name) for name in FIGURES}}


def find_model_folder(launch: ProofLaunch) -> str:
    return launch.command[launch.command.index("serve") + 1]
