"""The catalogue's side of a recommendation: the checkpoints there are, and the resulting block."""

from __future__ import annotations

from collections.abc import Sequence

from sparkform.catalogue import store
from sparkform.catalogue.describe import DescribedModel, describe_from_catalogue
from sparkform.catalogue.store import CatalogueEntry
from sparkform.models.shape import ModelShape
from sparkform.sizing.calibration import build_machine, load_calibration
from sparkform.sizing.node_memory import ENGINES, get_node_memory
from sparkform.sizing.recommend import (
    Candidate,
    CheckpointOffer,
    Recommendation,
    ServingRequest,
    choose_recommendation,
)
from sparkform.sizing.throughput import predict_speed

ONE_NODE, SEVERAL_NODES, ANY_NODES = "1", "2 or more", "1 or more"
# TensorRT-LLM's fraction is of what is free after the weights (its serve.py).
TRTLLM_FRACTION = {True: 0.8, False: 0.9}


def recommend_among(
    shape: ModelShape,
    offers: Sequence[CheckpointOffer],
    request: ServingRequest,
    link: str,
    hardware: str,
) -> Recommendation:
    """Recommend among some offers of one shape."""
    node, fitted_model = build_machine(link, hardware), load_calibration()
    return choose_recommendation(
        shape,
        offers,
        request,
        lambda engine: get_node_memory(engine, hardware=hardware),
        lambda model, traffic: predict_speed(model, traffic, node, fitted_model.parameters),
    )


def list_own_offers(subject: DescribedModel) -> list[CheckpointOffer]:
    """The subject's checkpoint in each engine that runs it; vLLM where nothing is known of it."""
    engines = subject.entry.checkpoint.engines if subject.entry else ["vllm"]
    return [_build_offer(subject, engine) for engine in engines if engine in ENGINES]


def list_release_offers(subject: DescribedModel) -> list[CheckpointOffer]:
    """All checkpoints of the subject's release, in each engine that runs them."""
    if subject.entry is None:
        return list_own_offers(subject)
    model, release = subject.entry.model, subject.entry.checkpoint.release
    entries = [CatalogueEntry(model, item) for item in model.checkpoints if item.release == release]
    return [
        offer
        for entry in entries
        for offer in list_own_offers(
            describe_from_catalogue(entry, None, by_name=entry.checkpoint.handle)
        )
    ]


def _build_offer(subject: DescribedModel, engine: str) -> CheckpointOffer:
    return CheckpointOffer(handle=subject.name, quantisation=subject.quantisation, engine=engine)


def find_recommended_image(engine: str, nodes: int) -> str:
    """The image of `engine` that the catalogue recommends for so many nodes."""
    node_classes = (ANY_NODES, ONE_NODE if nodes == 1 else SEVERAL_NODES)
    for image in store.list_images():
        figure = image.figures.get("recommended_for_nodes")
        if image.engine == engine and figure and figure.value in node_classes:
            return image.reference
    raise LookupError(f"the catalogue recommends no image of {engine} for {nodes} nodes")


def build_service_block(chosen: Candidate, request: ServingRequest) -> dict[str, object]:
    """The content of a service in a stack file; keys as in the spec."""
    runtime = _choose_runtime(chosen)
    block: dict[str, object] = {"engine": chosen.offer.engine, "runtime": runtime}
    if runtime != "native":
        block["image"] = find_recommended_image(chosen.offer.engine, chosen.cut.nodes)
    block |= {
        "model": chosen.offer.handle,
        **_get_pinned_revision(chosen.offer.handle),
        "tensorParallel": chosen.cut.tensor_parallel,
        "pipelineParallel": chosen.cut.pipeline_parallel,
        "dataParallel": chosen.replicas,
        "maxBatchSize": -(-request.concurrency // chosen.replicas),
        "maxSeqLen": request.context,
        "kvCacheDtype": chosen.cache,
    }
    spans_nodes = chosen.cut.nodes > 1
    if chosen.offer.engine == "vllm":
        block["gpuMemoryUtilization"] = get_node_memory("vllm").fraction
        return block | ({"launcher": "mp"} if spans_nodes else {})
    block["freeGpuMemoryFraction"] = TRTLLM_FRACTION[spans_nodes]
    return block | ({"allReduce": "NCCL"} if spans_nodes else {})


def _get_pinned_revision(handle: str) -> dict[str, str]:
    entry = store.find_entry(handle)
    revision = entry.checkpoint.revision if entry else None
    return {"revision": revision} if revision else {}


def _choose_runtime(chosen: Candidate) -> str:
    """Native for vLLM near the limit: a report saw containers leave less memory (unverified)."""
    is_tight = chosen.fit.free_gib < get_node_memory(chosen.offer.engine).container_risk_gib
    return "native" if is_tight and chosen.offer.engine == "vllm" else "container"


def list_reasons(chosen: Candidate, request: ServingRequest) -> list[str]:
    """Why it was chosen, in sentences that follow "because"."""
    fit, speed = chosen.fit, chosen.speed
    sentences = [
        f"{fit.weights_gib_per_node:.1f} GiB of weights a node leave {fit.free_gib:.1f} GiB for "
        f"the cache, up to {fit.max_context:,} tokens",
        f"{speed.decode_tok_s:.1f} tok/s in all are predicted for {request.concurrency} at once, "
        f"bound by {speed.bound}",
    ]
    if chosen.replicas > 1:
        sentences.append(
            "copies share the requests without an all-reduce; at 64 requests two of them were "
            "measured to win or tie with TP=2"
        )
    if chosen.nodes < request.nodes:
        sentences.append(f"more than {chosen.nodes} nodes would gain less than a tenth")
    if chosen.cut.pipeline_parallel > 1:
        sentences.append(
            "the heads do not divide by so many nodes, or stages are faster on this link"
        )
    if chosen.cache != "auto":
        sentences.append("the 16-bit cache would not hold the context, the FP8 cache does")
    if _choose_runtime(chosen) == "native":
        sentences.append("memory is tight, and one report saw containers leave less (unverified)")
    return sentences
