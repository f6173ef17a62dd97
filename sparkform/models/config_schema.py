"""The keys of a Hugging Face config.json that say a model's shape, as transformers names them."""

from __future__ import annotations

from collections.abc import Mapping
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
from sparkform.models.json_input import JsonObject, list_problems

# Far beyond any model; keeps a slip of the pen from taking all memory.
MOST_LAYERS = 10_000
LARGEST_SIZE = 2**31
Count = Annotated[int, Field(ge=0, le=LARGEST_SIZE)]
Size = Annotated[int, Field(ge=1, le=LARGEST_SIZE)]
TEXT_CONFIGS = ("text_config", "language_config", "llm_config", "thinker_config")
BECAUSE = "the shape cannot be computed without it"
UNREADABLE = {
    "block_configs": "its layers differ one by one (a searched architecture)",
    "is_encoder_decoder": "it is an encoder-decoder model",
    "linear_attn_config": "Kimi's linear attention is not known",
}


def _replace_null_with_zero(value: object) -> object:
    return 0 if value is None else value


CountOrZero = Annotated[Count, BeforeValidator(_replace_null_with_zero)]


def _aliases(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class TextConfig(BaseModel):
    """The text part of a config.json. Absent and null counts read as 0, absent lists as empty."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", protected_namespaces=(), defer_build=True
    )

    model_type: str = ""
    hidden_size: Size = Field(validation_alias=_aliases("hidden_size", "n_embd", "d_model"))
    layers: Annotated[int, Field(ge=1, le=MOST_LAYERS)] = Field(
        validation_alias=_aliases("num_hidden_layers", "n_layer", "num_layers")
    )
    heads: Size = Field(validation_alias=_aliases("num_attention_heads", "n_head"))
    kv_heads: CountOrZero = Field(0, validation_alias=_aliases("num_key_value_heads"))
    head_dim: CountOrZero = Field(0, validation_alias=_aliases("head_dim", "attention_head_dim"))
    v_head_dim: CountOrZero = 0
    vocab_size: Size
    max_position: CountOrZero = Field(
        0,
        validation_alias=_aliases("max_position_embeddings", "n_positions", "max_sequence_length"),
    )
    tie_word_embeddings: bool | None = None
    attention_bias: bool = False
    activation: str = Field(
        "silu", validation_alias=_aliases("mlp_hidden_act", "hidden_act", "hidden_activation")
    )
    intermediate_size: CountOrZero = Field(
        0, validation_alias=_aliases("intermediate_size", "ffn_hidden_size", "ffn_dim")
    )
    dense_intermediate_size: CountOrZero = Field(
        0, validation_alias=_aliases("dense_intermediate_size", "intermediate_size_mlp")
    )

    attn_output_gate: bool = False
    attention_k_eq_v: bool = False
    global_head_dim: CountOrZero = 0
    global_kv_heads: CountOrZero = Field(0, validation_alias=_aliases("num_global_key_value_heads"))
    window_kv_heads: CountOrZero = Field(0, validation_alias=_aliases("swa_num_key_value_heads"))
    kv_shared_layers: CountOrZero = Field(0, validation_alias=_aliases("num_kv_shared_layers"))
    sliding_window: CountOrZero = 0
    use_sliding_window: bool | None = None
    max_window_layers: CountOrZero = 0
    attention_chunk_size: CountOrZero = 0
    sliding_window_pattern: CountOrZero = 0
    layer_types: tuple[str, ...] | None = Field(
        None, validation_alias=_aliases("layer_types", "layers_block_type")
    )
    hybrid_override_pattern: str = ""
    hybrid_layer_pattern: tuple[int, ...] = ()
    full_attention_interval: CountOrZero = 0
    attn_layer_period: CountOrZero = 0
    attn_layer_offset: CountOrZero = 0

    kv_lora_rank: CountOrZero = 0
    q_lora_rank: CountOrZero = 0
    qk_nope_head_dim: CountOrZero = 0
    qk_rope_head_dim: CountOrZero = 0
    index_head_dim: CountOrZero = 0
    index_n_heads: CountOrZero = 0
    index_topk: CountOrZero = 0
    compress_ratios: tuple[Count, ...] = ()
    o_groups: CountOrZero = 0
    o_lora_rank: CountOrZero = 0

    state_heads: CountOrZero = Field(
        0, validation_alias=_aliases("mamba_num_heads", "mamba_n_heads")
    )
    state_head_dim: CountOrZero = Field(
        0, validation_alias=_aliases("mamba_head_dim", "mamba_d_head")
    )
    state_size: CountOrZero = Field(0, validation_alias=_aliases("ssm_state_size", "mamba_d_state"))
    state_groups: CountOrZero = Field(1, validation_alias=_aliases("n_groups", "mamba_n_groups"))
    state_conv: CountOrZero = Field(4, validation_alias=_aliases("conv_kernel", "mamba_d_conv"))
    state_expand: CountOrZero = Field(2, validation_alias=_aliases("mamba_expand", "expand"))
    state_dtype: str = Field(
        "float32", validation_alias=_aliases("mamba_ssm_cache_dtype", "mamba_ssm_dtype")
    )
    linear_key_heads: CountOrZero = Field(0, validation_alias=_aliases("linear_num_key_heads"))
    linear_value_heads: CountOrZero = Field(0, validation_alias=_aliases("linear_num_value_heads"))
    linear_key_head_dim: CountOrZero = 0
    linear_value_head_dim: CountOrZero = 0
    linear_conv_kernel_dim: CountOrZero = 4

    experts: CountOrZero = Field(
        0,
        validation_alias=_aliases(
            "num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"
        ),
    )
    experts_per_token: CountOrZero = Field(
        0,
        validation_alias=_aliases(
            "num_experts_per_tok",
            "num_experts_per_token",
            "experts_per_token",
            "top_k_experts",
            "moe_topk",
        ),
    )
    expert_size: CountOrZero = Field(
        0, validation_alias=_aliases("moe_intermediate_size", "moe_ffn_hidden_size")
    )
    expert_hidden_size: CountOrZero = Field(
        0, validation_alias=_aliases("moe_latent_size", "routed_expert_hidden_size")
    )
    shared_experts: CountOrZero = Field(
        0, validation_alias=_aliases("n_shared_experts", "num_shared_experts")
    )
    shared_expert_size: CountOrZero = Field(
        0,
        validation_alias=_aliases(
            "shared_expert_intermediate_size",
            "moe_shared_expert_intermediate_size",
            "share_expert_dim",
            "shared_intermediate_size",
        ),
    )
    first_dense_layers: CountOrZero = Field(0, validation_alias=_aliases("first_k_dense_replace"))
    dense_layers: tuple[Count, ...] = Field((), validation_alias=_aliases("mlp_only_layers"))
    decoder_sparse_step: CountOrZero = 1
    interleave_moe_layer_step: CountOrZero = 1
    expert_layer_period: CountOrZero = 0
    expert_layer_offset: CountOrZero = 0
    moe_layer_freq: int | tuple[int, ...] = 1
    enable_moe_block: bool | None = None
    per_layer_input: CountOrZero = Field(
        0, validation_alias=_aliases("hidden_size_per_layer_input")
    )
    per_layer_vocab: CountOrZero = Field(0, validation_alias=_aliases("vocab_size_per_layer_input"))


class VisionConfig(BaseModel):
    """Enough of a vision tower's config to size it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    layers: CountOrZero = Field(
        0, validation_alias=_aliases("num_hidden_layers", "depth", "vt_num_hidden_layers")
    )
    hidden_size: CountOrZero = Field(
        0, validation_alias=_aliases("embed_dim", "hidden_size", "vt_hidden_size")
    )
    intermediate_size: CountOrZero = Field(
        0, validation_alias=_aliases("intermediate_size", "vt_intermediate_size")
    )


def get_text_part(config: JsonObject) -> JsonObject:
    """The language model's part of a wrapper's config, or the config itself."""
    for key in TEXT_CONFIGS:
        part = config.get(key)
        if isinstance(part, Mapping):
            inherited = {"tie_word_embeddings", "model_type"} & set(config)
            return get_text_part({**{name: config[name] for name in inherited}, **part})
    return config


def parse_text_config(config: JsonObject, path: str) -> TextConfig:
    """Validate the text part. Raises InputError with every key that is missing or wrong."""
    part = get_text_part(config)
    unreadable = [
        Problem(path=f"{path}: {key}", message="cannot be read", because=reason)
        for key, reason in UNREADABLE.items()
        if part.get(key)
    ]
    if unreadable:
        raise InputError(unreadable)
    layer_list = part.get("layers_block_type")
    if isinstance(layer_list, list):
        # NemotronHConfig: the list says how many layers there are.
        part = {"num_hidden_layers": len(layer_list), **part}
    try:
        return TextConfig.model_validate(part)
    except ValidationError as error:
        raise InputError(list_problems(error, path, because=BECAUSE)) from None
