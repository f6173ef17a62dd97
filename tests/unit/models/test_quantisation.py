"""Bits by role, from quantization_config as real checkpoints write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkform.errors import InputError
from sparkform.models.config_reader import read_shape
from sparkform.models.quantisation import METHODS, Quantisation, find_method, plan_quantisation
from sparkform.models.quantisation_reader import read_quantisation
from sparkform.models.shape import ModelShape

REAL = json.loads((Path(__file__).parent / "data" / "quantisations.json").read_text())
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "intermediate_size": 128,
    "vocab_size": 1000,
}


def read_declared(declared: dict[str, object], **changes: object) -> Quantisation:
    config = {**LLAMA, **changes, "quantization_config": declared}
    return read_quantisation(config, read_shape(config, "config.json"), "config.json")


def read_case_shape(case: dict[str, Any]) -> ModelShape:
    return read_shape(case["config"], case["name"])


@pytest.mark.parametrize("case", REAL, ids=lambda case: case["name"])
def test_a_real_quantisation_is_read_role_by_role(case: dict[str, Any]) -> None:
    quantisation = read_quantisation(case["config"], read_case_shape(case), case["name"])
    for role, bits in case["expected"].items():
        assert quantisation.get_bits(role) == pytest.approx(bits, abs=0.01), role


def test_without_a_quantization_config_weights_have_16_bits() -> None:
    quantisation = read_quantisation(LLAMA, read_shape(LLAMA, "config.json"), "config.json")
    assert quantisation.name == "bf16"
    assert quantisation.get_bits("dense") == 16


@pytest.mark.parametrize(
    ("declared", "name", "bits"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "int4", 4 + 20 / 128),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "int4", 4 + 20 / 32),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "int8", 8 + 24 / 128),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128}, "int4", 4 + 20 / 128),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8", 8 + 32 / 16384),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", 4.5),
        ({"quant_method": "mxfp4"}, "mxfp4", 4.25),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {
                    "group_0": {
                        "weights": {"num_bits": 4, "type": "int", "group_size": 128},
                        "targets": ["Linear"],
                    }
                },
                "ignore": ["lm_head"],
            },
            "int4",
            4 + 20 / 128,
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
            },
            "fp8",
            8 + 32 / 16384,
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {
                    "group_0": {"weights": {"num_bits": 4, "type": "float", "group_size": 16}}
                },
            },
            "nvfp4",
            4.5,
        ),
    ],
)
def test_scales_are_counted_with_the_weights(
    declared: dict[str, object], name: str, bits: float
) -> None:
    quantisation = read_declared(declared)
    assert quantisation.name == name
    assert quantisation.get_bits("dense") == pytest.approx(bits)
    assert quantisation.get_bits("attention") == pytest.approx(bits)
    assert quantisation.get_bits("embedding") == 16
    assert quantisation.get_bits("head") == 16


@pytest.mark.parametrize(
    ("pattern", "attention_bits"),
    [
        ("model.layers.*.self_attn", 16),
        ("model.layers.0.self_attn*", (16 + 3 * 4.5) / 4),
        ("re:.*self_attn.*", 16),
        ("self_attn", 16),
        ("model.layers.1.self_attn.q_proj", (16 + 3 * 4.5) / 4),
        ("model.layers.0.input_layernorm", 4.5),
        ("mtp.layers.0*", 4.5),
        ("lm_head", 4.5),
    ],
)
def test_what_a_checkpoint_leaves_out_keeps_16_bits_and_nothing_else_does(
    pattern: str, attention_bits: float
) -> None:
    quantisation = read_declared(
        {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": [pattern]}
    )
    assert quantisation.get_bits("attention") == pytest.approx(attention_bits)
    assert quantisation.get_bits("dense") == pytest.approx(4.5)


def test_mixed_precision_gives_each_role_its_own_bits() -> None:
    layers = {
        f"model.layers.{index}.{module}": {"quant_algo": algorithm}
        for index in range(4)
        for module, algorithm in (("self_attn.q_proj", "FP8"), ("mlp.gate_proj", "NVFP4"))
    } | {"lm_head": {"quant_algo": "W4A16_NVFP4"}}
    quantisation = read_declared({"quant_algo": "MIXED_PRECISION", "quantized_layers": layers})
    assert quantisation.get_bits("attention") == pytest.approx(8, abs=0.01)
    assert quantisation.get_bits("dense") == 4.5
    assert quantisation.get_bits("head") == 4.5
    assert quantisation.name == "nvfp4"


@pytest.mark.parametrize(
    "declared",
    [
        {"quant_method": "bitnet"},
        {"quant_method": "modelopt", "quant_algo": "FP2"},
        {"quant_algo": "MIXED_PRECISION", "quantized_layers": {"a": {"quant_algo": "FP2"}}},
    ],
)
def test_an_unknown_method_is_refused_and_not_taken_for_16_bits(
    declared: dict[str, object],
) -> None:
    with pytest.raises(InputError, match="allowed"):
        read_declared(declared)


@pytest.mark.parametrize(
    ("name", "method"), [("AWQ", "int4"), ("fp4", "nvfp4"), ("bfloat16", "bf16"), (" fp8 ", "fp8")]
)
def test_common_names_lead_to_their_method(name: str, method: str) -> None:
    assert find_method(name).name == method


def test_a_quantisation_that_does_not_exist_is_refused_with_near_names() -> None:
    with pytest.raises(InputError, match="did you mean nvfp4"):
        find_method("nvfp5")


def test_mxfp4_converts_only_experts_where_there_are_any() -> None:
    mixture = plan_quantisation(METHODS["mxfp4"], mixture=True)
    assert (mixture.get_bits("experts"), mixture.get_bits("attention")) == (4.25, 16)
    assert plan_quantisation(METHODS["mxfp4"], mixture=False).get_bits("attention") == 4.25
