"""Speculative decoding by published figures: how often each method's drafts are accepted."""

from __future__ import annotations

from sparkform.models.quantisation import Quantisation
from sparkform.models.shape import ModelShape
from sparkform.sizing.engine_memory import GIB, EngineSettings, compute_draft_gib
from sparkform.sizing.throughput_load import DraftPlan

# The chance that a draft is accepted after those before it, by method. Prose lies below, code and
# arithmetic above.
ACCEPTANCE = {
    # 95 % of one (https://forums.developer.nvidia.com/t/365639), 86.9 % of one
    # (bjk110/spark_vllm_docker@c99e673: docs/deepseek-v4-mtp1-fullgraph-validated-preset.md),
    # 2.2 to 2.9 tokens with two (https://github.com/eugr/spark-vllm-docker/pull/200).
    "mtp": 0.85,
    # 3.2 tokens with seven (https://github.com/vllm-project/vllm/issues/47277).
    "dflash": 0.7,
    # 2.8 to 5.6 tokens with five
    # (https://github.com/tonyd2wild/DeepSeek-V4.1-Flash-vLLM-DGX-Spark/issues/2).
    "dspark": 0.8,
    # About a fifth, on prompts that the answer does not repeat
    # (https://al-engr.com/qwen3.6-ngram-vs-nvfp4-mtp.html).
    "ngram": 0.2,
}
MOST_DRAFT_TOKENS = 64
# Of a method without a figure of its own.
USUAL_ACCEPTANCE = 0.65


def build_draft_plan(
    shape: ModelShape,
    quantisation: Quantisation,
    method: str | None,
    tokens: int,
    draft_gib: float | None = None,
) -> DraftPlan | None:
    """The plan of a method and its count; None without drafts."""
    if not method or tokens < 1:
        return None
    settings = EngineSettings(draft_method=method, draft_tokens=tokens, draft_gib=draft_gib)
    head = shape.head_parameters_read * quantisation.get_bits("head") / 8
    layers = compute_draft_gib(shape, quantisation, settings) * GIB
    return DraftPlan(
        tokens=tokens,
        acceptance=ACCEPTANCE.get(method.rpartition("_")[2], USUAL_ACCEPTANCE),
        bytes_a_token=(head + layers * _get_active_share(shape)) if layers else 0.0,
    )


def _get_active_share(shape: ModelShape) -> float:
    """How much of a layer one token reads."""
    routed = [block.feed_forward for block in shape.blocks if block.feed_forward]
    if not any(part.experts for part in routed):
        return 1.0
    return max(part.experts_per_token / part.experts for part in routed if part.experts)
