"""Parameters and cache of a layer's token mixer, computed from the text config."""

from __future__ import annotations

from sparkform.models.config_schema import TextConfig
from sparkform.models.layer_plan import MixerName
from sparkform.models.shape import Mixer

STATE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
CONVOLUTION_BYTES = 2
ENCODER_TYPES = ("bert", "roberta", "xlm-roberta", "nomic_bert", "modernbert")
"""Their tokens see those behind them too, so that nothing can be kept for the next one: vLLM gives
such a layer no cache (vllm/v1/worker/gpu_model_runner.py, AttentionType.ENCODER_ONLY)."""


def read_mixer(config: TextConfig, name: MixerName, index: int) -> Mixer:
    """The mixer `name` of layer `index` (0 is the first)."""
    if name == "mamba":
        return _read_state_space(config)
    if name == "linear":
        return _read_gated_delta(config)
    if config.compress_ratios:
        return _read_compressed(config, config.compress_ratios[index])
    if config.kv_lora_rank:
        return _read_latent(config)
    return _read_attention(config, name, index)


def _read_attention(config: TextConfig, name: MixerName, index: int) -> Mixer:
    """Grouped-query attention, full or windowed, with the variants of Gemma 4 and MiMo."""
    is_global = name == "full" and bool(config.global_head_dim)
    head_dim = config.global_head_dim if is_global else _get_head_dim(config)
    kv_heads = _count_kv_heads(config, name)
    value_dim = config.v_head_dim or head_dim
    shared_key = is_global and config.attention_k_eq_v
    owns_cache = index < config.layers - config.kv_shared_layers
    keeps_tokens = owns_cache and config.model_type not in ENCODER_TYPES
    hidden, heads = config.hidden_size, config.heads
    query = hidden * heads * head_dim * (2 if config.attn_output_gate else 1)
    key_value = hidden * kv_heads * (head_dim if shared_key else head_dim + value_dim)
    bias = (heads + 2 * kv_heads) * head_dim if config.attention_bias else 0
    windowed = name == "window"
    return Mixer(
        kind="attention",
        parameters=query + key_value * owns_cache + heads * value_dim * hidden + bias,
        heads=heads,
        kv_heads=kv_heads,
        kv_parameters=key_value * owns_cache,
        kv_elements=kv_heads * (head_dim + value_dim) * keeps_tokens,
        window_tokens=(config.sliding_window or config.attention_chunk_size) if windowed else 0,
        stride_tokens=0 if windowed else 1,
    )


def _get_head_dim(config: TextConfig) -> int:
    return config.head_dim or config.hidden_size // config.heads


def _count_kv_heads(config: TextConfig, name: MixerName) -> int:
    if name == "full" and config.global_kv_heads and config.attention_k_eq_v:
        return config.global_kv_heads
    if name == "window" and config.window_kv_heads:
        return config.window_kv_heads
    return config.kv_heads or config.heads


def _read_latent(config: TextConfig) -> Mixer:
    """Multi-head latent attention (DeepSeek-V3): one latent and one rope key a token.

    With a sparse indexer (DeepSeek-V3.2, GLM-5) its keys lie beside the latent and a step reads
    only the best `index_topk` entries.
    """
    hidden, heads = config.hidden_size, config.heads
    query_dim = config.qk_nope_head_dim + config.qk_rope_head_dim
    latent = config.kv_lora_rank + config.qk_rope_head_dim
    query = (
        hidden * config.q_lora_rank + config.q_lora_rank * heads * query_dim
        if config.q_lora_rank
        else hidden * heads * query_dim
    )
    expand = config.kv_lora_rank * heads * (config.qk_nope_head_dim + config.v_head_dim)
    output = heads * config.v_head_dim * hidden
    indexer = config.index_head_dim * (
        (config.q_lora_rank or hidden) * config.index_n_heads + hidden
    )
    return Mixer(
        kind="latent",
        parameters=query + hidden * latent + expand + output + indexer,
        heads=heads,
        kv_heads=1,
        kv_parameters=hidden * (latent + config.q_lora_rank),
        kv_elements=latent,
        rope_elements=config.qk_rope_head_dim if config.index_head_dim else 0,
        index_elements=config.index_head_dim,
        read_limit_tokens=config.index_topk or None,
    )


def _read_compressed(config: TextConfig, ratio: int) -> Mixer:
    """DeepSeek-V4: one shared key-value head, a short window and one entry for `ratio` tokens."""
    hidden, width = config.hidden_size, config.heads * _get_head_dim(config)
    query = hidden * config.q_lora_rank + config.q_lora_rank * width
    grouped_output = config.o_lora_rank * (width + config.o_groups * hidden)
    indexer = config.q_lora_rank * config.index_n_heads * config.index_head_dim if ratio else 0
    key_value = hidden * _get_head_dim(config) * (3 if ratio else 1)
    return Mixer(
        kind="latent",
        parameters=query + grouped_output + key_value + indexer,
        heads=config.heads,
        kv_heads=1,
        kv_parameters=key_value,
        kv_elements=_get_head_dim(config),
        rope_elements=config.qk_rope_head_dim,
        index_elements=config.index_head_dim if _is_indexed(config, ratio) else 0,
        window_tokens=config.sliding_window,
        stride_tokens=ratio,
        read_limit_tokens=(config.sliding_window + config.index_topk) or None,
    )


def _is_indexed(config: TextConfig, ratio: int) -> bool:
    """Only the layers that compress least search their entries; the others read them all."""
    return ratio == min((item for item in config.compress_ratios if item), default=0)


def _read_gated_delta(config: TextConfig) -> Mixer:
    """Gated DeltaNet (Qwen3-Next, Qwen3.5): a matrix a value head instead of a growing cache."""
    key_dim = config.linear_key_heads * config.linear_key_head_dim
    value_dim = config.linear_value_heads * config.linear_value_head_dim
    convolved = 2 * key_dim + value_dim
    input_projection = config.hidden_size * (convolved + value_dim + 2 * config.linear_value_heads)
    state = config.linear_value_heads * config.linear_key_head_dim * config.linear_value_head_dim
    return Mixer(
        kind="state",
        parameters=input_projection
        + convolved * config.linear_conv_kernel_dim
        + value_dim * config.hidden_size,
        heads=config.linear_value_heads,
        kv_heads=config.linear_key_heads,
        state_bytes=state * _get_state_width(config)
        + convolved * (config.linear_conv_kernel_dim - 1) * CONVOLUTION_BYTES,
        stride_tokens=0,
    )


def _read_state_space(config: TextConfig) -> Mixer:
    """Mamba-2 where heads are given (NemotronH, Bamba), else Mamba-1 (Jamba)."""
    hidden = config.hidden_size
    if not config.state_heads:
        inner = config.state_expand * hidden
        rank = -(-hidden // 16)
        projections = hidden * 2 * inner + inner * (rank + 2 * config.state_size) + rank * inner
        convolved, heads, groups = inner, inner, 1
        state = inner * config.state_size
    else:
        inner = config.state_heads * config.state_head_dim
        convolved = inner + 2 * config.state_groups * config.state_size
        projections = hidden * (inner + convolved + config.state_heads)
        heads, groups = config.state_heads, config.state_groups
        state = inner * config.state_size
    return Mixer(
        kind="state",
        parameters=projections + convolved * config.state_conv + inner * hidden,
        heads=heads,
        kv_heads=groups,
        state_bytes=state * _get_state_width(config)
        + convolved * (config.state_conv - 1) * CONVOLUTION_BYTES,
        stride_tokens=0,
    )


def _get_state_width(config: TextConfig) -> int:
    return STATE_BYTES.get(config.state_dtype, 4)
