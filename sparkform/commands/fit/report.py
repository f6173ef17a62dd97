"""What `sparkform fit` answers: GiB are 2^30 bytes, bytes a token are of the whole model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkform.catalogue.describe import DescribedModel
from sparkform.models.shape import count_kv_elements_beyond_windows, count_kv_elements_per_token
from sparkform.sizing.fit import CACHE_BYTES, GIB, Demand, Fit
from sparkform.sizing.split import Cut, compute_weights_bytes


@dataclass(frozen=True, kw_only=True)
class NodeCountFit:
    """The answer for one number of nodes; `reason` says what lacks, or what limits."""

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
    elements = count_kv_elements_per_token(subject.shape)
    elements_beyond = count_kv_elements_beyond_windows(subject.shape)
    return FitReport(
        model=subject.name,
        quant=subject.quantisation.name,
        weights_gib=round(weights_bytes / GIB, 2),
        kv_bytes_per_token=round(elements * element_bytes),
        kv_bytes_per_token_beyond_windows=round(elements_beyond * element_bytes),
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
    )
