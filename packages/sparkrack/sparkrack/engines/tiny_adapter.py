"""Makes a tiny LoRA adapter for the tiny Llama; runs in the Python of the vLLM environment.

    python tiny_adapter.py make FOLDER

Its weights are random, from a fixed seed, and large enough that the model no longer knows what it
had by heart: who asks the adapter by its name gets another answer than from the model.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

Foreign = Any
"""What is of torch and safetensors, which only that environment has."""

RANK = 8
TARGETS = ("q_proj", "v_proj")


def make(folder: Path) -> None:
    torch = importlib.import_module("torch")
    safetensors = importlib.import_module("safetensors.torch")
    tiny_llama = importlib.import_module("tiny_llama")
    torch.manual_seed(tiny_llama.SEED)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.save_file(
        build_weights(torch, tiny_llama.SHAPE), folder / "adapter_model.safetensors"
    )
    config = {
        "base_model_name_or_path": "sparkform/tiny-llama",
        "bias": "none",
        "lora_alpha": RANK,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": RANK,
        "target_modules": list(TARGETS),
        "task_type": "CAUSAL_LM",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")


def build_weights(torch: Foreign, shape: dict[str, int]) -> dict[str, Foreign]:
    """By the names that PEFT gives them."""
    widths = {
        "q_proj": shape["num_attention_heads"] * shape["head_dim"],
        "v_proj": shape["num_key_value_heads"] * shape["head_dim"],
    }
    weights = {}
    for layer in range(shape["num_hidden_layers"]):
        for target in TARGETS:
            name = f"base_model.model.model.layers.{layer}.self_attn.{target}"
            hidden, width = shape["hidden_size"], widths[target]
            weights[f"{name}.lora_A.weight"] = torch.randn(RANK, hidden, dtype=torch.bfloat16)
            weights[f"{name}.lora_B.weight"] = torch.randn(width, RANK, dtype=torch.bfloat16)
    return weights


if __name__ == "__main__":
    make(Path(sys.argv[2]))
