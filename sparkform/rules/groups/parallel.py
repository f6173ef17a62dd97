"""How a model is cut over Sparks."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome, RuleSkip

MAX_CONTEXT_OF_405B = 64
PADDING = (
    "tensorParallel: 1  # with pipelineParallel: 3; or waive this for a build that pads heads: "
    "dsv4-3spark, vllm-node-b12x"
)


def check_world_size(service: ServiceView) -> Iterator[RuleOutcome]:
    """A Spark has one GPU, so that tensor x pipeline x data parallel ranks are its nodes.

    Of several replicas each has its own.
    """
    ranks = {
        name: service.count_ranks(name)
        for name in ("tensor_parallel", "pipeline_parallel", "data_parallel")
    }
    product = ranks["tensor_parallel"] * ranks["pipeline_parallel"] * ranks["data_parallel"]
    if product != len(service.nodes):
        yield RuleFinding(
            path=service.settings.get_path("tensor_parallel"),
            message=(
                f"{ranks['tensor_parallel']} x {ranks['pipeline_parallel']} x "
                f"{ranks['data_parallel']} ranks do not match {len(service.nodes)} nodes: "
                "each node runs one rank."
            ),
            remedy=_suggest_nodes(service, product),
        )


def _suggest_nodes(service: ServiceView, ranks: int) -> str:
    if ranks > len(service.nodes):
        return f"tensorParallel: {len(service.nodes)}"
    all_nodes = service.count_replicas() * len(service.nodes)
    if service.count_replicas() > 1 and all_nodes % ranks == 0:
        return f"replicas: {all_nodes // ranks}"
    return f"nodes: [{', '.join(node.name for node in service.nodes[:ranks])}]"


def check_tensor_heads(service: ServiceView) -> Iterator[RuleOutcome]:
    """Each rank takes a share of the heads, and the engine stops at start where it cannot.

    The heads must divide by the ranks, and the KV heads must divide by them or be copied evenly.
    TP=3 works only with builds that pad the heads, at 1.17 to 1.25 times the speed of TP=2.
    """
    from sparkform.sizing.split import allows_tensor_parallel

    ranks = service.count_ranks("tensor_parallel")
    if ranks == 1:
        return
    facts = service.block.model_facts
    if service.shape is None or (_is_estimated(service) and facts.heads is None):
        yield RuleSkip(path=service.get_path("model"), reason="the model's heads are not known")
        return
    if not allows_tensor_parallel(service.shape, ranks):
        valid = [
            candidate
            for candidate in range(1, 9)
            if allows_tensor_parallel(service.shape, candidate)
        ]
        yield RuleFinding(
            path=service.settings.get_path("tensor_parallel"),
            message=(
                f"The model's heads cannot be split over {ranks} ranks; "
                f"{', '.join(map(str, valid))} are possible."
            ),
            remedy=f"tensorParallel: "
            f"{max((candidate for candidate in valid if candidate < ranks), default=1)}"
            if ranks != 3
            else PADDING,
        )


def _is_estimated(service: ServiceView) -> bool:
    """Whether the shape comes from modelFacts, which may lack figures."""
    subject = service.subject
    return subject is None or subject.entry is None


def check_pipeline_layers(service: ServiceView) -> Iterator[RuleOutcome]:
    """A stage without a layer cannot start; stages of unequal length wait for the longest."""
    stages = service.count_ranks("pipeline_parallel")
    if stages == 1:
        return
    if service.shape is None or (_is_estimated(service) and not service.block.model_facts.layers):
        yield RuleSkip(path=service.get_path("model"), reason="the model's layers are not known")
        return
    layers = len(service.shape.blocks)
    if layers % stages == 0:
        return
    is_empty = layers < stages
    yield RuleFinding(
        path=service.settings.get_path("pipeline_parallel"),
        message=(
            f"{layers} layers cannot fill {stages} pipeline stages."
            if is_empty
            else f"{layers} layers do not divide into {stages} equal pipeline stages: all "
            "wait for the longest."
        ),
        remedy="pipelineParallel: 1" if is_empty else "pipelineParallel: 2  # or accept it",
        severity=MANDATORY if is_empty else ADVISORY,
    )


def check_ring_tensor(service: ServiceView) -> Iterator[RuleOutcome]:
    """Over a ring of three, tensor parallelism needs a model whose heads divide by three.

    None is known. Two builds pad the heads (64 to 66 or 72) and were measured on such a ring.
    """
    if service.context.topology == "ring" and service.count_ranks("tensor_parallel") == 3:
        yield RuleFinding(
            path=service.settings.get_path("tensor_parallel"),
            message=(
                "Tensor parallelism over a ring of three fails at start: the heads of no "
                "known model divide by three."
            ),
            remedy=PADDING,
        )


def check_draft_with_pipeline(service: ServiceView) -> Iterator[RuleOutcome]:
    """Draft models do not run in pipeline stages: the start fails with NotImplementedError."""
    speculation = service.settings.find("speculative_method")
    if speculation is not None and service.count_ranks("pipeline_parallel") > 1:
        yield RuleFinding(
            path=speculation.path,
            message=(
                "Draft models do not support pipeline parallelism: the start fails with "
                "NotImplementedError."
            ),
            remedy="tensorParallel: 2  # with pipelineParallel: 1, or no speculative block",
        )


def check_405b_on_two_nodes(service: ServiceView) -> Iterator[RuleOutcome]:
    """Llama-3.1-405B in INT4 fills two Sparks; NVIDIA runs it with 64 tokens and one request.

    The weights take 101.5 of about 101.7 GiB a node: "testing only".
    """
    if "405b" not in service.model or len(service.nodes) > 2:
        return
    context = service.settings.get_integer("max_seq_len")
    requests = service.settings.get_integer("max_batch_size")
    if context is None or context > MAX_CONTEXT_OF_405B or requests != 1:
        yield RuleFinding(
            path=service.settings.get_path("max_seq_len"),
            message=(
                f"A 405B model fills two nodes with its weights: only {MAX_CONTEXT_OF_405B} "
                "tokens and one request fit."
            ),
            remedy=f"maxSeqLen: {MAX_CONTEXT_OF_405B}  # and maxBatchSize: 1, or three nodes",
        )


SERVICE_RULES = {
    "world-size": check_world_size,
    "tp-heads": check_tensor_heads,
    "pp-layers": check_pipeline_layers,
    "ring-tp": check_ring_tensor,
    "draft-with-pp": check_draft_with_pipeline,
    "405b-two-nodes": check_405b_on_two_nodes,
}
