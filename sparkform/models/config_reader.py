"""From a Hugging Face config.json to a Shape: embeddings, feed-forward parts and the whole."""

from __future__ import annotations

from sparkform.errors import InputError, Problem
from sparkform.models.config_schema import TextConfig, VisionConfig, parse_text_config
from sparkform.models.json_input import JsonObject
from sparkform.models.layer_plan import MixerName, PlannedLayer, plan_layers
from sparkform.models.mixer_reader import ENCODER_TYPES, read_mixer
from sparkform.models.shape import Block, FeedForward, ModelShape

# Model classes whose MLP is up and down only; all others of transformers' decoders are gated.
UNGATED_TYPES = {"starcoder2", "gpt_bigcode", "phi", "gpt_neox", "falcon", "opt", "bloom", "gpt2"}
UNGATED_TYPES |= {"bert", "roberta", "xlm-roberta"}
LEARNED_POSITIONS = ("bert", "roberta", "xlm-roberta")
TIED_BY_DEFAULT = ("gemma", "cohere", "gpt2", "starcoder2", *ENCODER_TYPES)
"""Encoders have no head at all: what they answer with is not a word."""


def read_shape(config: JsonObject, name: str) -> ModelShape:
    """The shape that `config` (a parsed config.json) describes.

    Raises InputError for missing or wrong keys and for structures that cannot be read.
    """
    text = parse_text_config(config, name)
    _require_sizes(text, name)
    layers = plan_layers(text, name)
    _require_mixer_sizes(text, {layer.mixer for layer in layers}, name)
    table = (text.vocab_size + _count_positions(text)) * text.hidden_size
    return ModelShape(
        name=name,
        hidden_size=text.hidden_size,
        embedding=table + text.per_layer_vocab * text.per_layer_input * text.layers,
        head=0 if _is_tied(text) else table,
        vision=_estimate_vision_parameters(config, text.hidden_size),
        blocks=tuple(_build_block(text, layer, index) for index, layer in enumerate(layers)),
        max_position=text.max_position or None,
        notes=() if text.max_position else ("config.json does not say the longest context",),
    )


def _require_sizes(text: TextConfig, name: str) -> None:
    problems = []
    if not text.intermediate_size and not text.expert_size:
        problems.append(Problem(path=f"{name}: intermediate_size", message="is missing"))
    if text.experts and not text.experts_per_token:
        problems.append(
            Problem(path=f"{name}: num_experts_per_tok", message="is missing beside the experts")
        )
    if text.experts_per_token > text.experts > 0:
        problems.append(
            Problem(
                path=f"{name}: num_experts_per_tok",
                message="is more than there are experts",
                got=str(text.experts_per_token),
                allowed=f"1 to {text.experts}",
            )
        )
    if text.compress_ratios and len(text.compress_ratios) < text.layers:
        problems.append(
            Problem(path=f"{name}: compress_ratios", message="is shorter than the layers")
        )
    if problems:
        raise InputError(problems)


# What each kind of mixer cannot be computed without.
NEEDED: dict[str, tuple[str, ...]] = {
    "mamba": ("state_size", "state_conv"),
    "linear": (
        "linear_key_heads",
        "linear_value_heads",
        "linear_key_head_dim",
        "linear_value_head_dim",
        "linear_conv_kernel_dim",
    ),
    "latent": ("qk_nope_head_dim", "v_head_dim"),
    "compressed": ("q_lora_rank", "o_lora_rank", "o_groups", "sliding_window"),
}


def _require_mixer_sizes(text: TextConfig, mixers: set[MixerName | None], name: str) -> None:
    kinds: list[str] = [kind for kind in ("mamba", "linear") if kind in mixers]
    kinds += ["latent"] * bool(text.kv_lora_rank) + ["compressed"] * bool(text.compress_ratios)
    problems = [
        Problem(path=f"{name}: {key}", message="is missing", because=f"it has {kind} layers")
        for kind in kinds
        for key in NEEDED[kind]
        if not getattr(text, key)
    ]
    if problems:
        raise InputError(problems)


def _count_positions(text: TextConfig) -> int:
    """Where a place in the text is a row of a table, not a turn of the vectors."""
    return text.max_position if text.model_type in LEARNED_POSITIONS else 0


def _is_tied(text: TextConfig) -> bool:
    if text.tie_word_embeddings is not None:
        return text.tie_word_embeddings
    return text.model_type.startswith(TIED_BY_DEFAULT)


def _build_block(text: TextConfig, layer: PlannedLayer, index: int) -> Block:
    mixer = read_mixer(text, layer.mixer, index) if layer.mixer else None
    feed_forward = _build_feed_forward(text, mixture=layer.mixture) if layer.feed_forward else None
    parts = (mixer is not None) + (feed_forward is not None)
    return Block(mixer=mixer, feed_forward=feed_forward, norm=parts * text.hidden_size)


def _count_matrices(text: TextConfig) -> int:
    ungated = text.activation == "relu2" or text.model_type in UNGATED_TYPES
    return 2 if ungated else 3


def _build_feed_forward(text: TextConfig, *, mixture: bool) -> FeedForward:
    per_width = _count_matrices(text) * text.hidden_size
    if not mixture:
        width = text.dense_intermediate_size or text.intermediate_size
        return FeedForward(dense=per_width * width)
    expert_width = text.expert_size or text.intermediate_size
    expert_hidden = text.expert_hidden_size or text.hidden_size
    into_latent = 2 * text.hidden_size * text.expert_hidden_size
    # Gemma 4 keeps a plain MLP beside the experts in each layer.
    dense_width = text.intermediate_size if text.enable_moe_block else 0
    return FeedForward(
        dense=per_width * dense_width,
        shared=per_width * _get_shared_width(text, expert_width) + into_latent,
        router=text.hidden_size * text.experts,
        expert=_count_matrices(text) * expert_hidden * expert_width,
        experts=text.experts,
        experts_per_token=text.experts_per_token,
    )


def _get_shared_width(text: TextConfig, expert_width: int) -> int:
    if text.model_type.startswith("llama4"):
        return expert_width
    if text.shared_expert_size:
        return text.shared_expert_size * (text.shared_experts or 1)
    return text.shared_experts * expert_width


def _estimate_vision_parameters(config: JsonObject, text_hidden: int) -> int:
    """An estimate of the vision tower and its projector: 16-bit, and small beside the rest."""
    if not isinstance(config.get("vision_config"), dict):
        return 0
    vision = VisionConfig.model_validate(config["vision_config"])
    width = vision.hidden_size
    layer = 4 * width * width + 2 * width * vision.intermediate_size
    return vision.layers * layer + width * text_hidden
