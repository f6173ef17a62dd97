"""The launches of the proof, as `sparkform plan --json` plans them for a Spark each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

IMAGE = "vllm/vllm-openai:v0.26.0"
RECORDED = Path("tests/data/facts/direct-2-untouched.json")
PROJECT = "Pulumi.yaml"
PLANNED = (0, 1)
"""1: rules refuse something, such as a model too large for the recorded node; it is planned."""

SERVICES: Mapping[str, Mapping[str, object]] = {
    "dense-bf16": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
    "dense-fp8": {"model": "meta-llama/Llama-3.1-8B-Instruct", "quantization": "fp8"},
    "dense-small": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
    "mixture-bf16": {"model": "Qwen/Qwen3-30B-A3B"},
    "mixture-mxfp4": {"model": "openai/gpt-oss-20b"},
}
PAIRS: Mapping[str, str] = {"pair-bf16": "dense-bf16", "pair-small": "dense-small"}
"""The same services on two nodes, cut in two, by the shape whose model they serve."""

COMMON: Mapping[str, object] = {
    "engine": "vllm",
    "runtime": "container",
    "image": IMAGE,
    "modelPath": "/opt/models/without-weights",
    "maxBatchSize": 32,
    "maxSeqLen": 8192,
    "gpuMemoryUtilization": 0.8,
    "port": 8000,
    "extraArgs": ["--load-format", "dummy"],
}
NODES = (("spark-1", "10.87.203.11"), ("spark-2", "10.87.203.12"))


def write_launches(folder: Path, scratch: Path) -> None:
    """One file a shape: the planned command and environment of each rank."""
    folder.mkdir(parents=True)
    (scratch / PROJECT).write_text(Path(PROJECT).read_text())
    for shape, service in SERVICES.items():
        launches = plan_launches(shape, service, 1, scratch)
        (folder / f"{shape}.json").write_text(json.dumps(launches, indent=1))
    for shape, model in PAIRS.items():
        service = {**SERVICES[model], "tensorParallel": 2}
        launches = plan_launches(shape, service, 2, scratch)
        (folder / f"{shape}.json").write_text(json.dumps({**launches, "model": model}, indent=1))


def plan_launches(
    shape: str, service: Mapping[str, object], node_count: int, scratch: Path
) -> dict[str, object]:
    stack = scratch / f"Pulumi.{shape}.yaml"
    document = {
        "config": {
            "sparkform:cluster": describe_cluster(node_count),
            "sparkform:services": {"proof": {**COMMON, **service}},
        }
    }
    stack.write_text(yaml.safe_dump(document))
    command = [str(Path(sys.executable).with_name("sparkform")), "plan", str(stack), "--json"]
    planned = subprocess.run(
        [*command, "--facts", str(RECORDED)], capture_output=True, text=True, check=False
    )
    if planned.returncode not in PLANNED:
        raise SystemExit(planned.stderr)
    launches = json.loads(planned.stdout)["services"][0]["launches"]
    ranks = [{key: launch[key] for key in ("command", "environment")} for launch in launches]
    return {"served_name": service["model"], "model": shape, "ranks": ranks}


def describe_cluster(node_count: int) -> Mapping[str, object]:
    return {
        "user": "nvidia",
        "nodes": [{"name": name, "host": host} for name, host in NODES[:node_count]],
        "fabric": {"topology": "direct" if node_count > 1 else "none"},
    }
