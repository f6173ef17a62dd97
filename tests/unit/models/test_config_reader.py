"""config.json files of real models, read as the transformers library defines them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkform.errors import InputError
from sparkform.models.config_reader import read_shape
from sparkform.models.json_input import load_json_object
from sparkform.models.shape import (
    ModelShape,
    count_active_parameters,
    count_kv_elements_beyond_windows,
    count_kv_elements_per_token,
    count_parameters,
)

REAL = json.loads((Path(__file__).parent / "data" / "configs.json").read_text())
SMALL: dict[str, object] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 1000,
    "max_position_embeddings": 4096,
}


def read_small(**changes: object) -> ModelShape:
    return read_shape(SMALL | changes, "config.json")


def list_windows(shape: ModelShape) -> list[int]:
    return [block.mixer.window_tokens for block in shape.blocks if block.mixer]


def list_mixtures(shape: ModelShape) -> list[bool]:
    return [bool(block.feed_forward and block.feed_forward.experts) for block in shape.blocks]


@pytest.mark.parametrize("case", REAL, ids=lambda case: case["name"])
def test_a_real_config_gives_the_published_parameter_count(case: dict[str, Any]) -> None:
    shape = read_shape(case["config"], case["name"])
    assert count_parameters(shape) == pytest.approx(case["published"], rel=0.01)


def test_dense_grouped_query_attention_is_counted_by_hand() -> None:
    shape = read_small()
    attention = 64 * 64 + 2 * 64 * 16 + 64 * 64
    layer = attention + 3 * 64 * 128 + 2 * 64
    assert count_parameters(shape) == 4 * layer + 2 * 1000 * 64
    assert count_active_parameters(shape) == 4 * layer + 1000 * 64
    assert count_kv_elements_per_token(shape) == 4 * 2 * 2 * 8


def test_a_tied_embedding_is_stored_once_and_read_all_the_same() -> None:
    tied, untied = read_small(tie_word_embeddings=True), read_small(tie_word_embeddings=False)
    assert count_parameters(untied) - count_parameters(tied) == 1000 * 64
    assert count_active_parameters(untied) == count_active_parameters(tied)


def test_gemma_ties_its_embedding_without_saying_so() -> None:
    assert read_small(model_type="gemma2").head == 0


def test_latent_attention_caches_one_latent_and_one_rope_key() -> None:
    shape = read_small(
        kv_lora_rank=32, q_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8
    )
    assert count_kv_elements_per_token(shape) == 4 * (32 + 4)


def test_a_sparse_indexer_limits_what_a_step_reads_but_not_what_is_kept() -> None:
    shape = read_small(
        kv_lora_rank=32,
        qk_nope_head_dim=8,
        qk_rope_head_dim=4,
        v_head_dim=8,
        index_topk=16,
        index_head_dim=8,
        index_n_heads=2,
    )
    mixer = shape.blocks[0].mixer
    assert mixer
    assert mixer.count_cached_entries(100) == 100
    assert mixer.count_read_entries(100) == 16


def test_layer_types_place_the_windows() -> None:
    kinds = ["sliding_attention", "full_attention"] * 2
    shape = read_small(layer_types=kinds, sliding_window=128)
    assert list_windows(shape) == [128, 0, 128, 0]
    assert count_kv_elements_beyond_windows(shape) == count_kv_elements_per_token(shape) / 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model_type": "gpt_oss", "sliding_window": 128}, [128, 0, 128, 0]),
        ({"model_type": "gemma3_text", "sliding_window": 512, "sliding_window_pattern": 4},
         [512, 512, 512, 0]),
        ({"model_type": "mistral", "sliding_window": 4096}, [4096] * 4),
        ({"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": False}, [0] * 4),
        ({"model_type": "qwen2", "sliding_window": 4096}, [0] * 4),
        ({"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": True,
          "max_window_layers": 2}, [0, 0, 4096, 4096]),
        ({"model_type": "llama4_text", "attention_chunk_size": 8192}, [8192, 8192, 8192, 0]),
        ({"model_type": "mimo_v2_flash", "sliding_window": 128,
          "hybrid_layer_pattern": [0, 1, 1, 0]}, [0, 128, 128, 0]),
        ({"model_type": "llama", "sliding_window": None}, [0] * 4),
    ],
)  # fmt: skip
def test_windows_stand_where_the_model_class_puts_them(
    changes: dict[str, object], expected: list[int]
) -> None:
    assert list_windows(read_small(**changes)) == expected


MIXTURE = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [True] * 4),
        ({"first_k_dense_replace": 1}, [False, True, True, True]),
        ({"mlp_only_layers": [2]}, [True, True, False, True]),
        ({"decoder_sparse_step": 2}, [False, True, False, True]),
        ({"interleave_moe_layer_step": 2}, [False, True, False, True]),
        ({"moe_layer_freq": [0, 1, 1, 0]}, [False, True, True, False]),
        ({"moe_layer_freq": 2}, [True, False, True, False]),
        ({"expert_layer_period": 2, "expert_layer_offset": 1}, [False, True, False, True]),
    ],
)
def test_experts_stand_where_the_config_puts_them(
    changes: dict[str, object], expected: list[bool]
) -> None:
    assert list_mixtures(read_small(**MIXTURE, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "width"),
    [
        ({}, 0),
        ({"n_shared_experts": 2}, 64),
        ({"shared_expert_intermediate_size": 48}, 48),
        ({"moe_shared_expert_intermediate_size": 48, "n_shared_experts": 1}, 48),
        ({"model_type": "llama4_text", "n_shared_experts": 0}, 32),
    ],
)
def test_shared_experts_are_as_wide_as_the_config_says(
    changes: dict[str, object], width: int
) -> None:
    part = read_small(**MIXTURE, **changes).blocks[0].feed_forward
    assert part
    assert part.shared == 3 * 64 * width


def test_a_state_space_model_keeps_a_state_instead_of_a_cache() -> None:
    shape = read_small(
        model_type="nemotron_h",
        hybrid_override_pattern="ME*-",
        mlp_hidden_act="relu2",
        mamba_num_heads=8,
        mamba_head_dim=16,
        ssm_state_size=32,
        n_groups=2,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
    )
    kinds = [block.mixer.kind if block.mixer else None for block in shape.blocks]
    assert kinds == ["state", None, "attention", None]
    state = shape.blocks[0].mixer
    assert state
    assert state.state_bytes == 8 * 16 * 32 * 4 + (128 + 2 * 2 * 32) * 3 * 2
    assert state.count_cached_entries(10_000) == 0
    dense = shape.blocks[3].feed_forward
    assert dense
    assert dense.dense == 2 * 64 * 128


def test_gated_delta_layers_stand_between_full_attention() -> None:
    shape = read_small(
        full_attention_interval=4,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        attn_output_gate=True,
    )
    kinds = [block.mixer.kind for block in shape.blocks if block.mixer]
    assert kinds == ["state", "state", "state", "attention"]


def test_a_first_generation_state_space_has_no_heads() -> None:
    shape = read_small(attn_layer_period=4, attn_layer_offset=3, mamba_d_state=16, mamba_expand=2)
    first = shape.blocks[0].mixer
    assert first
    assert first.state_bytes == 128 * 16 * 4 + 128 * 3 * 2


def test_compressed_caches_hold_a_window_and_one_entry_for_many_tokens() -> None:
    shape = read_small(
        compress_ratios=[0, 4, 128, 4],
        sliding_window=16,
        q_lora_rank=16,
        o_lora_rank=8,
        o_groups=2,
        index_topk=32,
        num_key_value_heads=1,
    )
    entries = [block.mixer.count_cached_entries(1024) for block in shape.blocks if block.mixer]
    assert entries == [16, 16 + 256, 16 + 8, 16 + 256]


def test_a_vision_wrapper_is_read_by_its_text_config() -> None:
    wrapped = {
        "architectures": ["X"],
        "tie_word_embeddings": False,
        "text_config": SMALL,
        "vision_config": {"depth": 2, "hidden_size": 32, "intermediate_size": 64},
    }
    shape = read_shape(wrapped, "config.json")
    assert shape.blocks == read_small().blocks
    assert shape.vision == 2 * (4 * 32 * 32 + 2 * 32 * 64) + 32 * 64


def test_the_number_of_layers_may_stand_in_their_list_alone() -> None:
    config = {key: value for key, value in SMALL.items() if key != "num_hidden_layers"}
    shape = read_shape(config | {"layers_block_type": ["attention", "mlp"]}, "config.json")
    assert len(shape.blocks) == 2


def test_every_missing_or_wrong_key_is_told_at_once() -> None:
    broken = {**SMALL, "hidden_size": -1, "vocab_size": "many"}
    del broken["num_hidden_layers"]
    with pytest.raises(InputError) as caught:
        read_shape(broken, "config.json")
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "config.json: hidden_size" in text
    assert "num_hidden_layers" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"block_configs": [{}]}, "layers differ one by one"),
        ({"linear_attn_config": {"a": 1}}, "linear attention is not known"),
        ({"is_encoder_decoder": True}, "encoder-decoder"),
        ({"layer_types": ["full_attention"] * 3}, "another length"),
        ({"layer_types": ["conv"] * 4}, "unknown kinds"),
        ({"num_experts": 8}, "num_experts_per_tok"),
        ({"num_experts": 8, "num_experts_per_tok": 9}, "more than there are experts"),
        ({"intermediate_size": None}, "intermediate_size"),
        ({"compress_ratios": [4]}, "shorter than the layers"),
        ({"full_attention_interval": 4}, "linear_value_heads: is missing"),
        ({"hybrid_override_pattern": "M*M*"}, "state_size: is missing"),
        ({"kv_lora_rank": 32}, "qk_nope_head_dim: is missing"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
    ],
)
def test_a_structure_that_cannot_be_read_is_refused_and_never_guessed(
    changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        read_small(**changes)


@pytest.mark.parametrize(
    ("text", "sentence"), [("{", "is not JSON"), ("[1]", "is not a JSON object")]
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        load_json_object(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json: cannot be read"):
        load_json_object(tmp_path / "absent.json")
