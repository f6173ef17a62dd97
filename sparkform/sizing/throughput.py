"""How fast a served model decodes and how soon it answers: a fitted roofline. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log2
from typing import Literal

from sparkform.models.shape import Block, is_mixture
from sparkform.sizing.cache_profile import is_compressed
from sparkform.sizing.throughput_load import (
    ServedModel,
    StepLoad,
    compute_step_load,
    get_compute_width,
    get_slowest_stage_share,
)

Bound = Literal["memory", "compute", "link"]
MIXTURE = "mixture"
GIGA = 1e9
TERA = 1e12
# DeepSeek-V4 takes 4.2 ms a layer without graphs, other mixtures about 0.9.
COMPRESSED_LAUNCHES = 5
# Unverified: the kernels of https://github.com/vllm-project/vllm/pull/40082 read experts faster by
# what users report; no pair of runs that differ in the kernel alone was found.
KERNEL_FACTORS = {"b12x": 1.5, "flashinfer_b12x": 1.5}
MOST_EFFICIENCY = 0.9
# One run of draft layers beside what they read; no measurement was found apart from it.
DRAFT_STEP_S = 5e-4


@dataclass(frozen=True, kw_only=True)
class MachineShares:
    """What a machine takes of the times that were fitted on a GB10, and its own prefill in shares
    of a GB10's efficiency. `mixture_launch` is of layers with experts, `launch` of all others."""

    launch: float = 1.0
    mixture_launch: float = 1.0
    first_token: float = 1.0
    prefill: float = 1.0

    def get_launch(self, kind: str) -> float:
        return self.mixture_launch if kind == MIXTURE else self.launch


@dataclass(frozen=True, kw_only=True)
class NodePerformance:
    """A node and its link. Compute by width of the weights, as measured (dense)."""

    bandwidth_gb_s: float
    compute_tflops: Mapping[str, float]
    link_gb_s: float
    link_latency_us: float
    shares: MachineShares = MachineShares()


@dataclass(frozen=True, kw_only=True)
class SpeedParameters:
    """What the fit found; docs/prediction.md says from what and how well.

    Efficiencies are shares of the memory bandwidth or of the dense compute. `routing_spread` is the
    power of the batch by which tokens choose experts independently (1: all do, 0: all alike).
    `collective_latencies` counts link latencies of one all-reduce between two nodes.
    `engine_expert_factor` is an engine's expert efficiency in shares of vLLM's. `layer_s` is what
    launches take a layer, by its kind; without recorded graphs it is at least `eager_layer_s`.
    """

    dense_efficiency: Mapping[str, float]
    expert_efficiency: Mapping[str, float]
    cache_efficiency: float
    layer_s: Mapping[str, float]
    eager_layer_s: float
    step_s: float
    sequence_s: float
    routing_spread: float
    collective_latencies: float
    engine_expert_factor: Mapping[str, float]
    decode_compute_efficiency: float
    prefill_efficiency: Mapping[str, float]
    first_token_s: Mapping[str, float]
    first_token_layer_s: float


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What is asked of the service. The replicas share the requests evenly."""

    concurrency: int
    prompt_tokens: int
    output_tokens: int
    replicas: int = 1


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The answer. `decode_tok_s` is all requests together; `bound` what takes most of a step."""

    decode_tok_s: float
    per_request_tok_s: float
    ttft_s: float
    bound: Bound


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """Seconds of one pass of a batch through all stages, by what causes them."""

    memory_s: float
    compute_s: float
    link_s: float
    overhead_s: float
    eager_s: float = 0.0

    @property
    def total_s(self) -> float:
        """Reading and computing overlap; the link and the launches do not.

        Without recorded graphs the CPU starts each kernel, and the slower of the two sets the pace.
        """
        recorded_s = max(self.memory_s, self.compute_s) + self.link_s + self.overhead_s
        return max(recorded_s, self.eager_s)

    @property
    def bound(self) -> Bound:
        """The largest of the three physical parts."""
        parts: dict[Bound, float] = {
            "memory": self.memory_s,
            "compute": self.compute_s,
            "link": self.link_s,
        }
        return max(parts, key=lambda name: parts[name])


def predict_speed(
    model: ServedModel, traffic: Traffic, machine: NodePerformance, parameters: SpeedParameters
) -> Speed:
    """Speed of `traffic` on one model cut over nodes, in all its replicas together."""
    active_replicas = min(traffic.replicas, traffic.concurrency)
    drafts = model.drafts
    batch = traffic.concurrency / active_replicas
    context = traffic.prompt_tokens + traffic.output_tokens // 2
    batches_in_flight = min(batch, model.cut.pipeline_parallel)
    step = compute_step_time(model, batch / batches_in_flight, context, machine, parameters)
    # Each flight passes each stage once a cycle: the slowest stage sets the pace, and with fewer
    # flights than stages the rest of the pipeline stands idle (the bubble).
    cycle_s = step.total_s * max(1.0, batches_in_flight * get_slowest_stage_share(model))
    total = traffic.concurrency * (drafts.count_tokens_a_step() if drafts else 1.0) / cycle_s
    return Speed(
        decode_tok_s=total,
        per_request_tok_s=total / traffic.concurrency,
        ttft_s=compute_first_token_s(model, traffic.prompt_tokens, machine, parameters),
        bound=step.bound,
    )


def compute_step_time(
    model: ServedModel,
    batch: float,
    context_tokens: int,
    machine: NodePerformance,
    parameters: SpeedParameters,
) -> StepTime:
    """One decode step of `batch` sequences, each `context_tokens` long."""
    tokens = batch * (1 + model.drafts.tokens if model.drafts else 1)
    routed = max(tokens, 1.0) ** parameters.routing_spread
    load = compute_step_load(model, batch, context_tokens, routed, tokens)
    peak = machine.compute_tflops[get_compute_width(model)] * TERA
    compute = peak * parameters.decode_compute_efficiency
    return StepTime(
        memory_s=_compute_memory_s(model, load, machine, parameters)
        + _compute_drafts_s(model, machine, parameters),
        compute_s=load.operations / compute,
        link_s=_compute_link_s(model, load, machine, parameters),
        overhead_s=_compute_launches_s(model, machine, parameters)
        + (parameters.step_s + parameters.sequence_s * batch) * machine.shares.launch,
        eager_s=_compute_eager_s(model, parameters) * machine.shares.launch,
    )


def _compute_launches_s(
    model: ServedModel, machine: NodePerformance, parameters: SpeedParameters
) -> float:
    """Launches of all layers, from recorded graphs."""
    kinds = ((_name_block_kind(block), count) for block, count in model.distinct_blocks.items())
    return sum(
        count * parameters.layer_s[kind] * machine.shares.get_launch(kind) for kind, count in kinds
    )


def _name_block_kind(block: Block) -> str:
    return MIXTURE if block.feed_forward and block.feed_forward.experts else "dense"


def _compute_eager_s(model: ServedModel, parameters: SpeedParameters) -> float:
    """The CPU's time for a step without graphs. Compressed attention is several kernels."""
    if not model.eager:
        return 0.0
    launches = sum(
        count * (COMPRESSED_LAUNCHES if block.mixer and is_compressed(block.mixer) else 1)
        for block, count in model.distinct_blocks.items()
    )
    return parameters.step_s + launches * parameters.eager_layer_s


def _compute_drafts_s(
    model: ServedModel, machine: NodePerformance, parameters: SpeedParameters
) -> float:
    """Draft layers are read once for each token that they propose, and the head with them."""
    if model.drafts is None:
        return 0.0
    read = sum(parameters.dense_efficiency.values()) / len(parameters.dense_efficiency)
    size = model.drafts.bytes_a_token / model.cut.tensor_parallel
    return model.drafts.tokens * (size / read / (machine.bandwidth_gb_s * GIGA) + DRAFT_STEP_S)


def _compute_memory_s(
    model: ServedModel, load: StepLoad, machine: NodePerformance, parameters: SpeedParameters
) -> float:
    expert = parameters.expert_efficiency[model.quantisation.family]
    expert *= parameters.engine_expert_factor[model.engine]
    expert = min(expert * KERNEL_FACTORS.get(model.kernel, 1.0), MOST_EFFICIENCY)
    effective = (
        sum(size / parameters.dense_efficiency[width] for width, size in load.dense_bytes.items())
        + load.expert_bytes / expert
        + load.cache_bytes / parameters.cache_efficiency
    )
    return effective / (machine.bandwidth_gb_s * GIGA)


def _compute_link_s(
    model: ServedModel, load: StepLoad, machine: NodePerformance, parameters: SpeedParameters
) -> float:
    """All-reduces of tensor ranks and hand-overs between stages."""
    ranks, stages = model.cut.tensor_parallel, model.cut.pipeline_parallel
    latency_s = machine.link_latency_us * 1e-6 * parameters.collective_latencies
    message_s = load.collective_bytes / (machine.link_gb_s * GIGA)
    handover_s = (stages - 1) * (latency_s + message_s)
    if ranks == 1:
        return handover_s
    collective_s = latency_s * log2(ranks) + message_s * 2 * (ranks - 1) / ranks
    return handover_s + load.collectives * collective_s


def compute_first_token_s(
    model: ServedModel, prompt_tokens: int, machine: NodePerformance, parameters: SpeedParameters
) -> float:
    """Seconds until the prompt of one request is read, on an idle service.

    Stages work one after the other on one prompt, so only tensor ranks shorten it.
    """
    routed = max(prompt_tokens, 1.0) ** parameters.routing_spread
    load = compute_step_load(model, prompt_tokens, 0, routed)
    kind = classify_prefill(model)
    compute = machine.compute_tflops[get_compute_width(model)] * TERA
    operations = load.operations + count_attention_operations(model, prompt_tokens)
    efficiency = parameters.prefill_efficiency[kind] * machine.shares.prefill
    compute_s = operations / (compute * min(efficiency, MOST_EFFICIENCY))
    weights_s = _compute_memory_s(model, replace(load, cache_bytes=0.0), machine, parameters)
    launches_s = parameters.first_token_s[model.engine]
    launches_s += parameters.first_token_layer_s * load.layers * (model.engine == "vllm")
    launches_s *= machine.shares.first_token
    pass_s = max(compute_s, weights_s) + _compute_link_s(model, load, machine, parameters)
    eager_s = _compute_eager_s(model, parameters) * machine.shares.launch
    return launches_s + max(pass_s, eager_s)


def classify_prefill(model: ServedModel) -> str:
    """Which kernels read a prompt: of dense layers, of experts, or of compressed attention."""
    mixers = [block.mixer for block in model.distinct_blocks if block.mixer]
    if any(is_compressed(mixer) for mixer in mixers):
        return "compressed"
    return "mixture" if is_mixture(model.shape) else "dense"


def count_attention_operations(model: ServedModel, prompt_tokens: int) -> float:
    """Operations of the attention matrix over a prompt: half of it, for keys and for values."""
    total = 0.0
    for block, count in model.distinct_blocks.items():
        mixer = block.mixer
        if mixer is None or mixer.kind == "state" or not mixer.kv_elements:
            continue
        head_width = mixer.kv_elements / mixer.kv_heads
        entries = mixer.count_read_entries(prompt_tokens)
        total += count * prompt_tokens * entries * mixer.heads * head_width
    return total / model.cut.tensor_parallel
