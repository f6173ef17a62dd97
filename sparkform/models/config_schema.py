"""The keys of a Hugging Face config.json that say a model's shape, as transformers names them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from sparkform.errors import InputError, Problem

Json = Mapping[str, object]
# Far beyond any model; keeps a slip of the pen from taking all memory.
MOST_LAYERS = 10_000
LARGEST_SIZE = 2**31
Count = Annotated[int, Field(ge=0, le=LARGEST_SIZE)]
Size = Annotated[int, Field(ge=1, le=LARGEST_SIZE)]
TEXT_CONFIGS = ("text_config", "language_config", "llm_config", "thinker_config")
UNREADABLE = {
    "block_configs": "its layers differ one by one (a searched architecture)",
    "is_encoder_decoder": "it is an encoder-decoder model",
    "linear_attn_config": "Kimi's linear attention is not known",
}


def _zero_if_null(value: object) -> object:
    return 0 if value is None else value


Optional0 = Annotated[Count, BeforeValidator(_zero_if_null)]


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class TextConfig(BaseModel):
    """The text part of a config.json. Absent and null counts read as 0, absent lists as empty."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", protected_namespaces=(), defer_build=True
    )

    model_type: str = ""
    hidden_size: Size = Field(validation_alias=_named("hidden_size", "n_embd", "d_model"))
    layers: Annotated[int, Field(ge=1, le=MOST_LAYERS)] = Field(
        validation_alias=_named("num_hidden_layers", "n_layer", "num_layers")
    )
    heads: Size = Field(validation_alias=_named("num_attention_heads", "n_head"))
    kv_heads: Optional0 = Field(0, validation_alias=_named("num_key_value_heads"))
    head_dim: Optional0 = Field(0, validation_alias=_named("head_dim", "attention_head_dim"))
    v_head_dim: Optional0 = 0
    vocab_size: Size
    max_position: Optional0 = Field(
        0, validation_alias=_named("max_position_embeddings", "n_positions", "max_sequence_length")
    )
    tie_word_embeddings: bool | None = None
    attention_bias: bool = False
    activation: str = Field(
        "silu", validation_alias=_named("mlp_hidden_act", "hidden_act", "hidden_activation")
    )
    intermediate_size: Optional0 = Field(
        0, validation_alias=_named("intermediate_size", "ffn_hidden_size", "ffn_dim")
    )
    dense_intermediate_size: Optional0 = Field(
        0, validation_alias=_named("dense_intermediate_size", "intermediate_size_mlp")
    )

    attn_output_gate: bool = False
    attention_k_eq_v: bool = False
    global_head_dim: Optional0 = 0
    global_kv_heads: Optional0 = Field(0, validation_alias=_named("num_global_key_value_heads"))
    window_kv_heads: Optional0 = Field(0, validation_alias=_named("swa_num_key_value_heads"))
    kv_shared_layers: Optional0 = Field(0, validation_alias=_named("num_kv_shared_layers"))
    sliding_window: Optional0 = 0
    use_sliding_window: bool | None = None
    max_window_layers: Optional0 = 0
    attention_chunk_size: Optional0 = 0
    sliding_window_pattern: Optional0 = 0
    layer_types: tuple[str, ...] | None = Field(
        None, validation_alias=_named("layer_types", "layers_block_type")
    )
    hybrid_override_pattern: str = ""
    hybrid_layer_pattern: tuple[int, ...] = ()
    full_attention_interval: Optional0 = 0
    attn_layer_period: Optional0 = 0
    attn_layer_offset: Optional0 = 0

    kv_lora_rank: Optional0 = 0
    q_lora_rank: Optional0 = 0
    qk_nope_head_dim: Optional0 = 0
    qk_rope_head_dim: Optional0 = 0
    index_head_dim: Optional0 = 0
    index_n_heads: Optional0 = 0
    index_topk: Optional0 = 0
    compress_ratios: tuple[Count, ...] = ()
    o_groups: Optional0 = 0
    o_lora_rank: Optional0 = 0

    state_heads: Optional0 = Field(0, validation_alias=_named("mamba_num_heads", "mamba_n_heads"))
    state_head_dim: Optional0 = Field(0, validation_alias=_named("mamba_head_dim", "mamba_d_head"))
    state_size: Optional0 = Field(0, validation_alias=_named("ssm_state_size", "mamba_d_state"))
    state_groups: Optional0 = Field(1, validation_alias=_named("n_groups", "mamba_n_groups"))
    state_conv: Optional0 = Field(4, validation_alias=_named("conv_kernel", "mamba_d_conv"))
    state_expand: Optional0 = Field(2, validation_alias=_named("mamba_expand", "expand"))
    state_dtype: str = Field(
        "float32", validation_alias=_named("mamba_ssm_cache_dtype", "mamba_ssm_dtype")
    )
    linear_key_heads: Optional0 = Field(0, validation_alias=_named("linear_num_key_heads"))
    linear_value_heads: Optional0 = Field(0, validation_alias=_named("linear_num_value_heads"))
    linear_key_head_dim: Optional0 = 0
    linear_value_head_dim: Optional0 = 0
    linear_conv_kernel_dim: Optional0 = 4

    experts: Optional0 = Field(
        0,
        validation_alias=_named(
            "num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"
        ),
    )
    experts_per_token: Optional0 = Field(
        0,
        validation_alias=_named(
            "num_experts_per_tok",
            "num_experts_per_token",
            "experts_per_token",
            "top_k_experts",
            "moe_topk",
        ),
    )
    expert_size: Optional0 = Field(
        0, validation_alias=_named("moe_intermediate_size", "moe_ffn_hidden_size")
    )
    expert_hidden_size: Optional0 = Field(
        0, validation_alias=_named("moe_latent_size", "routed_expert_hidden_size")
    )
    shared_experts: Optional0 = Field(
        0, validation_alias=_named("n_shared_experts", "num_shared_experts")
    )
    shared_expert_size: Optional0 = Field(
        0,
        validation_alias=_named(
            "shared_expert_intermediate_size",
            "moe_shared_expert_intermediate_size",
            "share_expert_dim",
            "shared_intermediate_size",
        ),
    )
    first_dense_layers: Optional0 = Field(0, validation_alias=_named("first_k_dense_replace"))
    dense_layers: tuple[Count, ...] = Field((), validation_alias=_named("mlp_only_layers"))
    decoder_sparse_step: Optional0 = 1
    interleave_moe_layer_step: Optional0 = 1
    expert_layer_period: Optional0 = 0
    expert_layer_offset: Optional0 = 0
    moe_layer_freq: int | tuple[int, ...] = 1
    enable_moe_block: bool | None = None
    per_layer_input: Optional0 = Field(0, validation_alias=_named("hidden_size_per_layer_input"))
    per_layer_vocab: Optional0 = Field(0, validation_alias=_named("vocab_size_per_layer_input"))


class VisionConfig(BaseModel):
    """Enough of a vision tower's config to size it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    layers: Optional0 = Field(
        0, validation_alias=_named("num_hidden_layers", "depth", "vt_num_hidden_layers")
    )
    hidden_size: Optional0 = Field(
        0, validation_alias=_named("embed_dim", "hidden_size", "vt_hidden_size")
    )
    intermediate_size: Optional0 = Field(
        0, validation_alias=_named("intermediate_size", "vt_intermediate_size")
    )


def text_part(config: Json) -> Json:
    """The language model's part of a wrapper's config, or the config itself."""
    for key in TEXT_CONFIGS:
        part = config.get(key)
        if isinstance(part, Mapping):
            inherited = {"tie_word_embeddings", "model_type"} & set(config)
            return text_part({**{name: config[name] for name in inherited}, **part})
    return config


def text_config(config: Json, path: str) -> TextConfig:
    """Validate the text part. Raises InputError with every key that is missing or wrong."""
    part = text_part(config)
    unreadable = [
        Problem(path=f"{path}: {key}", what="cannot be read", because=reason)
        for key, reason in UNREADABLE.items()
        if part.get(key)
    ]
    if unreadable:
        raise InputError(unreadable)
    listed = part.get("layers_block_type")
    if isinstance(listed, list):
        # NemotronHConfig: the list says how many layers there are.
        part = {"num_hidden_layers": len(listed), **part}
    try:
        return TextConfig.model_validate(part)
    except ValidationError as error:
        raise InputError(_problems(error, path)) from None


def _problems(error: ValidationError, path: str) -> list[Problem]:
    return [
        Problem(
            path=f"{path}: {'.'.join(str(part) for part in item['loc'])}",
            what=item["msg"][:1].lower() + item["msg"][1:],
            got=None if item["type"] == "missing" else repr(item["input"])[:60],
            because="the shape cannot be computed without it",
        )
        for item in error.errors(include_url=False)
    ]


def load_json_object(path: Path) -> Json:
    """Read a JSON object from a file. Raises InputError for anything else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError([Problem(path=str(path), what=f"cannot be read: {reason}")]) from None
    except ValueError as error:
        problem = Problem(path=str(path), what="is not JSON", because=str(error))
        raise InputError([problem]) from None
    if not isinstance(document, dict):
        problem = Problem(path=str(path), what="is not a JSON object", got=type(document).__name__)
        raise InputError([problem])
    return document
