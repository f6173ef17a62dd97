"""Which kind of layer stands where, from the several ways in which config.json files say it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sparkform.errors import InputError, Problem
from sparkform.models.config_schema import TextConfig

MixerName = Literal["full", "window", "mamba", "linear"]

# NemotronHConfig.hybrid_override_pattern: M a state space, * attention, E experts, - a plain MLP.
PATTERN: dict[str, tuple[MixerName | None, bool]] = {
    "M": ("mamba", False),
    "*": ("full", False),
    "E": (None, True),
    "-": (None, True),
}
NAMES: dict[str, tuple[MixerName | None, bool]] = {
    "full_attention": ("full", True),
    "attention": ("full", True),
    "deepseek_sparse_attention": ("full", True),
    "sliding_attention": ("window", True),
    "chunked_attention": ("window", True),
    "linear_attention": ("linear", True),
    "mamba": ("mamba", True),
}
# NemotronH's later configs use the same list for layers that are only one part of a block.
PART_NAMES: dict[str, tuple[MixerName | None, bool]] = {
    "mamba": ("mamba", False),
    "attention": ("full", False),
    "moe": (None, True),
    "mlp": (None, True),
}


class PlannedLayer(NamedTuple):
    """What a layer holds. `mixture` says whether its feed-forward part routes to experts."""

    mixer: MixerName | None
    feed_forward: bool
    mixture: bool


def plan_layers(config: TextConfig, path: str) -> tuple[PlannedLayer, ...]:
    """One entry a layer, in order. Raises InputError where a list has the wrong length or names."""
    mixers = _list_mixers(config, path)
    return tuple(
        PlannedLayer(mixer, feed_forward, feed_forward and _routes_to_experts(config, index))
        for index, (mixer, feed_forward) in enumerate(mixers)
    )


def _list_mixers(config: TextConfig, path: str) -> list[tuple[MixerName | None, bool]]:
    if config.hybrid_override_pattern:
        return _look_up_mixers(config, path, list(config.hybrid_override_pattern), PATTERN)
    if config.layer_types:
        parts = {"moe", "mlp"} & set(config.layer_types)
        return _look_up_mixers(
            config, path, list(config.layer_types), PART_NAMES if parts else NAMES
        )
    return [(_derive_mixer(config, index), True) for index in range(config.layers)]


def _look_up_mixers(
    config: TextConfig,
    path: str,
    names: list[str],
    table: dict[str, tuple[MixerName | None, bool]],
) -> list[tuple[MixerName | None, bool]]:
    unknown = sorted(set(names) - set(table))
    problems = [
        Problem(path=f"{path}: layer types", message="has unknown kinds", got=", ".join(unknown))
    ] * bool(unknown)
    if len(names) != config.layers:
        problems.append(
            Problem(
                path=f"{path}: layer types",
                message="has another length than num_hidden_layers",
                got=str(len(names)),
                allowed=str(config.layers),
            )
        )
    if problems:
        raise InputError(problems)
    return [table[name] for name in names]


def _derive_mixer(config: TextConfig, index: int) -> MixerName:
    if config.hybrid_layer_pattern:
        return (
            "window"
            if config.hybrid_layer_pattern[index % len(config.hybrid_layer_pattern)]
            else "full"
        )
    if config.full_attention_interval:
        return "full" if (index + 1) % config.full_attention_interval == 0 else "linear"
    if config.attn_layer_period:
        attends = index % config.attn_layer_period == config.attn_layer_offset
        return "full" if attends else "mamba"
    return "window" if _is_windowed(config, index) else "full"


def _is_windowed(config: TextConfig, index: int) -> bool:
    if config.model_type.startswith("llama4"):
        return bool(config.attention_chunk_size) and (index + 1) % 4 != 0
    if not config.sliding_window:
        return False
    if config.sliding_window_pattern:
        return (index + 1) % config.sliding_window_pattern != 0
    if config.model_type in ("gpt_oss", "gemma2"):
        return index % 2 == 0
    if config.model_type.startswith("qwen"):
        # Qwen2Config: off unless asked for, and then only from max_window_layers on.
        return bool(config.use_sliding_window) and index >= config.max_window_layers
    return config.use_sliding_window is not False


def _routes_to_experts(config: TextConfig, index: int) -> bool:
    if not config.experts or index < config.first_dense_layers or index in config.dense_layers:
        return False
    if config.hybrid_override_pattern:
        return config.hybrid_override_pattern[index] == "E"
    if config.layer_types and config.layer_types[index] == "mlp":
        return False
    if isinstance(config.moe_layer_freq, tuple) and config.moe_layer_freq:
        return bool(config.moe_layer_freq[index % len(config.moe_layer_freq)])
    if config.expert_layer_period:
        return index % config.expert_layer_period == config.expert_layer_offset
    return (
        all(
            (index + 1) % step == 0
            for step in (
                config.decoder_sparse_step or 1,
                config.interleave_moe_layer_step or 1,
            )
        )
        and index % _get_step(config.moe_layer_freq) == 0
    )


def _get_step(frequency: int | tuple[int, ...]) -> int:
    """Every how many layers there are experts, where that is one number."""
    return frequency if isinstance(frequency, int) and frequency > 0 else 1
