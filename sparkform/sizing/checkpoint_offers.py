"""The catalogue's side of a recommendation: the checkpoints there are, and the resulting block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sparkform.catalogue import store
from sparkform.catalogue.describe import Subject, from_catalogue
from sparkform.catalogue.store import Entry
from sparkform.models.shape import Shape
from sparkform.sizing.calibration import calibration, machine
from sparkform.sizing.node_memory import ENGINES, memory
from sparkform.sizing.recommend import Candidate, Offer, Recommendation, Wish, recommend
from sparkform.sizing.throughput import predict

ONE, SEVERAL, ANY = "1", "2 or more", "1 or more"
# TensorRT-LLM's fraction is of what is free after the weights (its serve.py).
TRTLLM_FRACTION = {True: 0.8, False: 0.9}


def weigh(
    shape: Shape, offers: Sequence[Offer], wish: Wish, link: str, hardware: str
) -> Recommendation:
    """Recommend among some offers of one shape."""
    node, fitted = machine(link, hardware), calibration()
    return recommend(
        shape,
        offers,
        wish,
        lambda engine: memory(engine, hardware=hardware),
        lambda model, traffic: predict(model, traffic, node, fitted.parameters),
    )


def own_offers(subject: Subject) -> list[Offer]:
    """The subject's checkpoint in each engine that runs it; vLLM where nothing is known of it."""
    engines = subject.entry.checkpoint.engines if subject.entry else ["vllm"]
    return [_offer(subject, engine) for engine in engines if engine in ENGINES]


def offers_of_release(subject: Subject) -> list[Offer]:
    """All checkpoints of the subject's release, in each engine that runs them."""
    if subject.entry is None:
        return own_offers(subject)
    model, release = subject.entry.model, subject.entry.checkpoint.release
    entries = [Entry(model, item) for item in model.checkpoints if item.release == release]
    return [
        offer
        for entry in entries
        for offer in own_offers(from_catalogue(entry, None, by_name=entry.checkpoint.handle))
    ]


def _offer(subject: Subject, engine: str) -> Offer:
    return Offer(handle=subject.name, quantisation=subject.quantisation, engine=engine)


def recommended_image(engine: str, nodes: int) -> str:
    """The image of `engine` that the catalogue recommends for so many nodes."""
    wanted = (ANY, ONE if nodes == 1 else SEVERAL)
    for image in store.images():
        figure = image.figures.get("recommended_for_nodes")
        if image.engine == engine and figure and figure.value in wanted:
            return image.reference
    raise LookupError(f"the catalogue recommends no image of {engine} for {nodes} nodes")


def service_block(chosen: Candidate, wish: Wish) -> dict[str, Any]:
    """The content of a service in a stack file; keys as in the spec."""
    runtime = _runtime(chosen)
    block: dict[str, Any] = {"engine": chosen.offer.engine, "runtime": runtime}
    if runtime != "native":
        block["image"] = recommended_image(chosen.offer.engine, chosen.cut.nodes)
    block |= {
        "model": chosen.offer.handle,
        **_pinned(chosen.offer.handle),
        "tensorParallel": chosen.cut.tensor_parallel,
        "pipelineParallel": chosen.cut.pipeline_parallel,
        "dataParallel": chosen.replicas,
        "maxBatchSize": -(-wish.concurrency // chosen.replicas),
        "maxSeqLen": wish.context,
        "kvCacheDtype": chosen.cache,
    }
    several = chosen.cut.nodes > 1
    if chosen.offer.engine == "vllm":
        block["gpuMemoryUtilization"] = memory("vllm").fraction
        return block | ({"launcher": "mp"} if several else {})
    block["freeGpuMemoryFraction"] = TRTLLM_FRACTION[several]
    return block | ({"allReduce": "NCCL"} if several else {})


def _pinned(handle: str) -> dict[str, str]:
    entry = store.find(handle)
    revision = entry.checkpoint.revision if entry else None
    return {"revision": revision} if revision else {}


def _runtime(chosen: Candidate) -> str:
    """Native for vLLM near the limit: a report saw containers leave less memory (unverified)."""
    tight = chosen.fit.free_gib < memory(chosen.offer.engine).container_risk_gib
    return "native" if tight and chosen.offer.engine == "vllm" else "container"


def reasons(chosen: Candidate, wish: Wish) -> list[str]:
    """Why it was chosen, in sentences that follow "because"."""
    fit, speed = chosen.fit, chosen.speed
    said = [
        f"{fit.weights_gib_per_node:.1f} GiB of weights a node leave {fit.free_gib:.1f} GiB for "
        f"the cache, up to {fit.max_context:,} tokens",
        f"{speed.decode_tok_s:.1f} tok/s in all are predicted for {wish.concurrency} at once, "
        f"bound by {speed.bound}",
    ]
    if chosen.replicas > 1:
        said.append(
            "copies share the requests without an all-reduce; at 64 requests two of them were "
            "measured to win or tie with TP=2"
        )
    if chosen.nodes < wish.nodes:
        said.append(f"more than {chosen.nodes} nodes would gain less than a tenth")
    if chosen.cut.pipeline_parallel > 1:
        said.append("the heads do not divide by so many nodes, or stages are faster on this link")
    if chosen.cache != "auto":
        said.append("the 16-bit cache would not hold the context, the FP8 cache does")
    if _runtime(chosen) == "native":
        said.append("memory is tight, and one report saw containers leave less (unverified)")
    return said
