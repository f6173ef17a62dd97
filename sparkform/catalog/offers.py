"""The catalogue's side of a recommendation: the checkpoints there are, and the resulting block."""

from __future__ import annotations

from typing import Any

from sparkform.catalog import store
from sparkform.catalog.calibration import ENGINES, calibration, machine, memory
from sparkform.catalog.describe import Subject, from_catalogue
from sparkform.catalog.store import Entry
from sparkform.planner.sizing_recommend import Candidate, Offer, Recommendation, Wish, recommend
from sparkform.planner.throughput import predict

ONE, SEVERAL, ANY = "1", "2 or more", "1 or more"
# TensorRT-LLM's fraction is of what is free after the weights (engines fact sheet 1.1 and 6).
TRTLLM_FRACTION = {True: 0.8, False: 0.9}


def weigh(
    subject: Subject, wish: Wish, link: str, hardware: str, *, all_checkpoints: bool
) -> Recommendation:
    """Recommend among the subject's own checkpoint, or among all of its model."""
    node, fitted = machine(link, hardware), calibration()
    return recommend(
        subject.shape,
        _offers(subject, all_checkpoints=all_checkpoints),
        wish,
        lambda engine: memory(engine, hardware=hardware),
        lambda model, traffic: predict(model, traffic, node, fitted.parameters),
    )


def _offers(subject: Subject, *, all_checkpoints: bool) -> list[Offer]:
    if subject.entry is None:
        return [_offer(subject, "vllm")]
    if not all_checkpoints:
        return [_offer(subject, engine) for engine in subject.entry.checkpoint.engines]
    model = subject.entry.model
    release = subject.entry.checkpoint.release
    entries = [
        Entry(model, checkpoint)
        for checkpoint in model.checkpoints
        if checkpoint.release == release
    ]
    return [
        _offer(from_catalogue(entry, None, by_name=entry.checkpoint.handle), engine)
        for entry in entries
        for engine in entry.checkpoint.engines
        if engine in ENGINES
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


def _runtime(chosen: Candidate) -> str:
    """Native for vLLM near the limit: seed 004 saw containers leave less memory (unverified)."""
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
        said.append("memory is tight, and seed 004 saw containers leave less (unverified)")
    return said
