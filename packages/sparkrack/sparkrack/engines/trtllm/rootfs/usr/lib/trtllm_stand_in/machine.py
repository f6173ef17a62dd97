"""Checks of a rank before it loads anything: GPU, RDMA devices, the model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .refusals import Refusal

NOT_CACHED = (
    "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot "
    "folder for the specified revision on the local disk and outgoing traffic has been disabled. "
    "To enable repo look-ups and downloads online, set 'HF_HUB_OFFLINE=0' as environment variable."
)


def check(world: int, model: str, revision: str, environment: Mapping[str, str]) -> Path:
    """The folder of the model. Raises Refusal in the engine's own words."""
    if not Path("/dev/nvidia0").exists():
        # tensorrt_llm/commands/serve.py@4c05a748, get_llm_args
        raise Refusal("ValueError: No GPU devices found on the node")
    if world > 1:
        check_rdma(environment)
    return find_model_folder(model, revision, environment)


def check_rdma(environment: Mapping[str, str]) -> None:
    """NCCL_NET=IB makes NCCL fail where the container was given no RDMA device (nccl, net.cc)."""
    if environment.get("NCCL_NET") == "IB" and not list(Path("/dev/infiniband").glob("uverbs*")):
        raise Refusal("NCCL WARN Error: network IB not found.\nNCCL error: invalid usage")


def find_model_folder(model: str, revision: str, environment: Mapping[str, str]) -> Path:
    """A folder, or a handle in the Hugging Face cache."""
    folder = Path(model) if model.startswith("/") else _snapshot(model, revision, environment)
    if not (folder / "config.json").is_file():
        raise Refusal(f"OSError: {model} does not appear to have a file named config.json.")
    return folder


def _snapshot(model: str, revision: str, environment: Mapping[str, str]) -> Path:
    home = environment.get("HF_HOME", f"{os.path.expanduser('~')}/.cache/huggingface")
    cache = Path(environment.get("HF_HUB_CACHE", f"{home}/hub"))
    entry = cache / f"models--{model.replace('/', '--')}"
    reference = entry / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    folder = entry / "snapshots" / commit
    if not folder.is_dir():
        raise Refusal(NOT_CACHED)
    return folder
