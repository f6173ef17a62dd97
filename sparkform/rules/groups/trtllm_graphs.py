"""CUDA graphs and all-reduce of TensorRT-LLM, alone and together."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import TrtllmService
from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, Finding, Outcome

STRATEGIES = (
    "AUTO",
    "NCCL",
    "UB",
    "MINLATENCY",
    "ONESHOT",
    "TWOSHOT",
    "LOWPRECISION",
    "MNNVL",
    "NCCL_SYMMETRIC",
)
NEEDS_NVLINK = ("UB", "MNNVL", "NCCL_SYMMETRIC")
NOT_FOR_SPARKS = ("ONESHOT", "TWOSHOT", "MINLATENCY", "LOWPRECISION")


def _strategy(service: ServiceView) -> str:
    """The all-reduce in force: as given anywhere, else the declaration's own default."""
    given = service.settings.text("all_reduce").upper()
    return given or (service.context.spec.all_reduce(service.name) or "AUTO")


def graphs_on(service: ServiceView) -> bool:
    """Whether CUDA graphs are recorded; an absent setting means that they are."""
    setting = service.settings.get("cuda_graph")
    return setting is None or setting.is_on


def graph_auto_allreduce(service: ServiceView) -> Iterator[Outcome]:
    """CUDA graphs with allReduce AUTO hang or corrupt a service on several Sparks.

    AUTO lets the autotuner choose an all-reduce at run time. It may settle on NCCL's symmetric
    memory, which corrupts results under graph capture and which GB10 does not have; with the
    AutoDeploy backend, whose report was read as one about Spark, ranks waited for each other
    for ever inside the capture. Later versions mend both in code, unproven on two Sparks. Between
    Sparks NCCL is what AUTO would have to choose, so that naming it costs nothing; on one node
    there is nothing to reduce, and AUTO does no harm.
    """
    if service.spans_nodes and graphs_on(service) and _strategy(service) == "AUTO":
        yield Finding(
            path=service.settings.place("all_reduce"),
            message="The service must not combine CUDA graphs with allReduce AUTO on several "
            "nodes, as ranks then hang or answer wrongly under graph capture.",
            remedy="allReduce: NCCL",
        )


def allreduce_enum(service: ServiceView) -> Iterator[Outcome]:
    """TensorRT-LLM knows nine all-reduce strategies, and RING is none of them."""
    for given in service.settings.given("all_reduce"):
        if given.text.upper() not in STRATEGIES:
            yield Finding(
                path=given.path,
                message="The service must name an all-reduce strategy that TensorRT-LLM has: "
                f"{', '.join(STRATEGIES)}.",
                remedy="allReduce: NCCL",
            )


def allreduce_internode(service: ServiceView) -> Iterator[Outcome]:
    """Between Sparks there is Ethernet only, and most strategies are made for NVLink.

    UB, MNNVL and NCCL_SYMMETRIC need memory that all GPUs can reach; the fallback of
    NCCL_SYMMETRIC crashes. For the other four no report from Sparks was found (unverified).
    """
    strategy = _strategy(service)
    if not service.spans_nodes or strategy not in NEEDS_NVLINK + NOT_FOR_SPARKS:
        return
    is_fatal = strategy in NEEDS_NVLINK
    yield Finding(
        path=service.settings.place("all_reduce"),
        message=f"The service must not use allReduce {strategy} between nodes, "
        + ("which needs NVLink." if is_fatal else "which nobody has reported to work there."),
        remedy="allReduce: NCCL",
        severity=MANDATORY if is_fatal else ADVISORY,
    )


def cudagraph_intent(service: ServiceView) -> Iterator[Outcome]:
    """CUDA graphs are on unless the engine's YAML says null, which `cudaGraph: false` writes.

    TRTLLM_DISABLE_CUDAGRAPH is read nowhere in TensorRT-LLM, and an empty block or an absent key
    means on. Who sets one of these believes that graphs are off.
    """
    wish = service.variables.get("TRTLLM_DISABLE_CUDAGRAPH")
    options = ("disable_cuda_graph", "enforce_eager", "no_cuda_graph")
    wishes = [] if wish is None or not wish.is_on else [wish.path]
    wishes += [
        service.settings.argument_path(one)
        for one in service.settings.arguments
        if one.option in options or (one.option == "cuda_graph_config" and one.value == "{}")
    ]
    if wishes and graphs_on(service):
        yield Finding(
            path=wishes[0],
            message="The service must switch CUDA graphs off by cudaGraph, as TensorRT-LLM does "
            "not read this and would record them.",
            remedy="cudaGraph: false",
        )


def graph_batches(service: ServiceView) -> Iterator[Outcome]:
    """Graphs for batches larger than the engine ever runs are refused at start."""
    block = service.block
    declared = block.cuda_graph if isinstance(block, TrtllmService) else True
    given = service.settings.whole("graph_max_batch_size")
    largest = given or (None if isinstance(declared, bool) else declared.max_batch_size)
    limit = service.settings.whole("max_batch_size")
    if largest is not None and limit is not None and largest > limit:
        yield Finding(
            path=service.path("cudaGraph.maxBatchSize"),
            message=f"The service must not record CUDA graphs for {largest} requests at once, as "
            f"maxBatchSize allows {limit}.",
            remedy=f"cudaGraph: {{maxBatchSize: {limit}}}",
        )


SERVICE_RULES = {
    "trt-graph-auto-allreduce": graph_auto_allreduce,
    "trt-allreduce-enum": allreduce_enum,
    "trt-allreduce-internode": allreduce_internode,
    "trt-cudagraph-intent": cudagraph_intent,
    "trt-graph-batches": graph_batches,
}
