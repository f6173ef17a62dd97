"""Stack files for the command line's tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.recorded import SWARM, build_rack_declaration

VLLM = {
    "engine": "vllm",
    "runtime": "container",
    "image": "vllm/vllm-openai:v0.32.0",
    "model": "Qwen/Qwen3-8B",
    "port": 8000,
}


def write_stack(
    folder: Path, name: str = "cli", services: Mapping[str, Any] | None = None, **cluster: object
) -> Path:
    """Of the recorded rack in Swarm; `cluster` replaces keys of its block."""
    block = {**build_rack_declaration(**SWARM).cluster.to_plain(), **cluster}
    file = folder / f"Pulumi.{name}.yaml"
    config = {"sparkform:cluster": block}
    if services:
        config["sparkform:services"] = dict(services)
    file.write_text(yaml.safe_dump({"config": config}))
    return file
