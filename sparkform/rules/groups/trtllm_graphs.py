"""CUDA graphs and all-reduce of TensorRT-LLM, alone and together."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import TrtllmService
from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome

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
NVLINK_STRATEGIES = ("UB", "MNNVL", "NCCL_SYMMETRIC")
UNREPORTED_STRATEGIES = ("ONESHOT", "TWOSHOT", "MINLATENCY", "LOWPRECISION")


def _get_strategy(service: ServiceView) -> str:
    """The all-reduce in force: as given anywhere, else the declaration's own default."""
    strategy = service.settings.get_text("all_reduce").upper()
    return strategy or (service.context.declaration.get_all_reduce(service.name) or "AUTO")


def has_graphs(service: ServiceView) -> bool:
    """Whether CUDA graphs are recorded; an absent setting means that they are."""
    setting = service.settings.find("cuda_graph")
    return setting is None or setting.is_on


def check_graphs_with_auto(service: ServiceView) -> Iterator[RuleOutcome]:
    """CUDA graphs with allReduce AUTO hang or corrupt a service on several Sparks.

    AUTO may choose NCCL's symmetric memory, which GB10 lacks and which corrupts results under graph
    capture; with the AutoDeploy backend ranks waited for ever inside the capture. Later versions
    mend both in code, unproven on two Sparks. Between Sparks AUTO would have to choose NCCL, so
    naming it costs nothing; on one node AUTO does no harm.
    """
    if service.spans_nodes and has_graphs(service) and _get_strategy(service) == "AUTO":
        yield RuleFinding(
            path=service.settings.get_path("all_reduce"),
            message="CUDA graphs with allReduce AUTO hang or corrupt results on several nodes.",
            remedy="allReduce: NCCL",
        )


def check_allreduce_name(service: ServiceView) -> Iterator[RuleOutcome]:
    """TensorRT-LLM knows nine all-reduce strategies, and RING is none of them."""
    for setting in service.settings.list_given("all_reduce"):
        if setting.text.upper() not in STRATEGIES:
            yield RuleFinding(
                path=setting.path,
                message=(
                    f"TensorRT-LLM has no such all-reduce strategy; it has {', '.join(STRATEGIES)}."
                ),
                remedy="allReduce: NCCL",
            )


def check_allreduce_between_nodes(service: ServiceView) -> Iterator[RuleOutcome]:
    """Between Sparks there is Ethernet only, and most strategies are made for NVLink.

    UB, MNNVL and NCCL_SYMMETRIC need memory that all GPUs reach; NCCL_SYMMETRIC's fallback crashes.
    For the other four no report from Sparks was found (unverified).
    """
    strategy = _get_strategy(service)
    if not service.spans_nodes or strategy not in NVLINK_STRATEGIES + UNREPORTED_STRATEGIES:
        return
    is_fatal = strategy in NVLINK_STRATEGIES
    yield RuleFinding(
        path=service.settings.get_path("all_reduce"),
        message=(
            f"allReduce {strategy} needs NVLink, which does not connect Sparks."
            if is_fatal
            else f"allReduce {strategy} is unproven between Sparks."
        ),
        remedy="allReduce: NCCL",
        severity=MANDATORY if is_fatal else ADVISORY,
    )


def check_graphs_off(service: ServiceView) -> Iterator[RuleOutcome]:
    """CUDA graphs are on unless the engine's YAML says null, which `cudaGraph: false` writes.

    TRTLLM_DISABLE_CUDAGRAPH is read nowhere, and an empty block or an absent key means on.
    """
    variable = service.variables.get("TRTLLM_DISABLE_CUDAGRAPH")
    options = ("disable_cuda_graph", "enforce_eager", "no_cuda_graph")
    paths = [] if variable is None or not variable.is_on else [variable.path]
    paths += [
        service.settings.get_argument_path(argument)
        for argument in service.settings.arguments
        if argument.option in options
        or (argument.option == "cuda_graph_config" and argument.value == "{}")
    ]
    if paths and has_graphs(service):
        yield RuleFinding(
            path=paths[0],
            message="TensorRT-LLM does not read this setting and records CUDA graphs.",
            remedy="cudaGraph: false",
        )


def check_graph_batch_size(service: ServiceView) -> Iterator[RuleOutcome]:
    """Graphs for batches larger than the engine ever runs are refused at start."""
    block = service.block
    declared = block.cuda_graph if isinstance(block, TrtllmService) else True
    option_batch_size = service.settings.get_integer("graph_max_batch_size")
    graph_batch_size = option_batch_size or (
        None if isinstance(declared, bool) else declared.max_batch_size
    )
    limit = service.settings.get_integer("max_batch_size")
    if graph_batch_size is not None and limit is not None and graph_batch_size > limit:
        yield RuleFinding(
            path=service.get_path("cudaGraph.maxBatchSize"),
            message=(
                f"CUDA graphs for {graph_batch_size} requests exceed maxBatchSize {limit}: "
                "the engine refuses to start."
            ),
            remedy=f"cudaGraph: {{maxBatchSize: {limit}}}",
        )


SERVICE_RULES = {
    "trt-graph-auto-allreduce": check_graphs_with_auto,
    "trt-allreduce-enum": check_allreduce_name,
    "trt-allreduce-internode": check_allreduce_between_nodes,
    "trt-cudagraph-intent": check_graphs_off,
    "trt-graph-batches": check_graph_batch_size,
}
