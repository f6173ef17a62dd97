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
CLUSTER: Mapping[str, object] = {
    "user": "nvidia",
    "nodes": [{"name": "spark-1", "host": "10.0.0.1"}],
    "fabric": {"topology": "none"},
}


def write_launches(folder: Path, scratch: Path) -> None:
    """One file a shape: the planned command and environment of its only rank."""
    folder.mkdir(parents=True)
    (scratch / PROJECT).write_text(Path(PROJECT).read_text())
    for shape, service in SERVICES.items():
        launch = plan_launch(shape, service, scratch)
        (folder / f"{shape}.json").write_text(json.dumps(launch, indent=1))


def plan_launch(shape: str, service: Mapping[str, object], scratch: Path) -> dict[str, object]:
    stack = scratch / f"Pulumi.{shape}.yaml"
    document = {
        "config": {
            "sparkform:cluster": CLUSTER,
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
    [launch] = json.loads(planned.stdout)["services"][0]["launches"]
    return {
        "served_name": service["model"],
        "command": launch["command"],
        "environment": launch["environment"],
    }
