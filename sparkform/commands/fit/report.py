"""What `sparkform fit` answers: GiB are 2^30 bytes, bytes a token are of the whole model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkform.catalogue.describe import DescribedModel
from sparkform.sizing.cache_profile import (
    compute_token_bytes,
    compute_token_bytes_beyond_windows,
)
from sparkform.sizing.engine_memory import GIB, MemoryPart
from sparkform.sizing.fit import Fit
from sparkform.sizing.memory_budget import CACHE_BYTES, Demand
from sparkform.sizing.split import Cut, compute_weights_bytes


@dataclass(frozen=True, kw_only=True)
class NodeCountFit:
    """The answer for one number of nodes; `reason` says what lacks, or what limits.

    `parts` and `free_gib` add up to `limit_gib`; `cache_gib` is what the asked-for cache takes.
    """

    nodes: int
    tp: int
    pp: int
    weights_gib_per_node: float
    free_gib: float
    max_context: int
    max_batch: int
    fits: bool
    reason: str
    quants_that_fit: Sequence[str]
    limit_gib: float
    parts: Sequence[MemoryPart]
    cache_gib: float


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """`notes` say what was estimated."""

    model: str
    quant: str
    weights_gib: float
    kv_bytes_per_token: int
    kv_bytes_per_token_beyond_windows: int
    per_nodes: Sequence[NodeCountFit]
    notes: Sequence[str]


def build_report(subject: DescribedModel, demand: Demand, fits: Sequence[Fit]) -> FitReport:
    uncut = Cut(tensor_parallel=1, pipeline_parallel=1)
    weights_bytes = compute_weights_bytes(subject.shape, subject.quantisation, uncut)
    element_bytes = CACHE_BYTES[demand.cache]
    beyond_bytes = compute_token_bytes_beyond_windows(subject.shape, element_bytes)
    return FitReport(
        model=subject.name,
        quant=subject.quantisation.name,
        weights_gib=round(weights_bytes / GIB, 2),
        kv_bytes_per_token=round(compute_token_bytes(subject.shape, element_bytes)),
        kv_bytes_per_token_beyond_windows=round(beyond_bytes),
        per_nodes=[_build_row(fit) for fit in fits],
        notes=subject.shape.notes,
    )


def _build_row(fit: Fit) -> NodeCountFit:
    return NodeCountFit(
        nodes=fit.nodes,
        tp=fit.tensor_parallel,
        pp=fit.pipeline_parallel,
        weights_gib_per_node=round(fit.weights_gib_per_node, 2),
        free_gib=round(fit.free_gib, 2),
        max_context=fit.max_context,
        max_batch=fit.max_batch,
        fits=fit.fits,
        reason=fit.reason,
        quants_that_fit=fit.quants_that_fit,
        limit_gib=round(fit.limit_gib, 2),
        parts=[MemoryPart(name=part.name, gib=round(part.gib, 2)) for part in fit.parts],
        cache_gib=round(fit.cache_gib, 2),
    )
