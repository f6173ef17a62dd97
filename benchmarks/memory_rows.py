"""The published figures of memory, as the memory model computes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from sparkform.catalogue.describe import DescribedModel, describe_row
from sparkform.sizing.cache_profile import build_cache_profile, compute_page_bytes
from sparkform.sizing.engine_memory import GIB, EngineSettings, compute_draft_gib
from sparkform.sizing.fit import Fit, fit_cut
from sparkform.sizing.memory_budget import Demand, NodeMemory, get_cache_element_bytes
from sparkform.sizing.node_memory import get_node_memory
from sparkform.sizing.split import Cut

DATA = Path(__file__).parent / "data" / "memory.json"
# CUDA's own on a card of its own memory (https://github.com/vllm-project/vllm/pull/10511 names
# 0.2 to 1.8 GiB for several versions).
DISCRETE_ENGINE_GIB = 0.25


def _read_middle(value: object) -> object:
    return sum(value) / len(value) if isinstance(value, list) else value


class MemoryCase(BaseModel):
    """The keys of a row that say what was run and what was read; the rest describes the model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    kind: str
    what: str
    measured: Annotated[float, BeforeValidator(_read_middle)]
    drawn: bool = False
    tp: int = 1
    share: float = 0.85
    total_gib: float | None = None
    hardware: str = "gb10"
    context: int | None = None
    kv_cache: str = "auto"
    step_tokens: int | None = None
    sequences: int | None = None
    eager: bool = False
    speculative: str | None = None
    draft_tokens: int = 0
    load_format: str = ""
    disk_gib: float = 0.0


@dataclass(frozen=True)
class MemoryRow:
    """One figure of a source."""

    case: MemoryCase
    subject: DescribedModel

    @cached_property
    def cut(self) -> Cut:
        """The row's ranks."""
        return Cut(tensor_parallel=self.case.tp, pipeline_parallel=1)

    @cached_property
    def demand(self) -> Demand:
        """What the source ran."""
        case = self.case
        return Demand(
            shape=self.subject.shape,
            quantisation=self.subject.quantisation,
            cache=case.kv_cache,
            context=case.context,
            settings=EngineSettings(
                step_tokens=case.step_tokens,
                sequences=case.sequences,
                eager=case.eager,
                draft_method=case.speculative,
                draft_tokens=case.draft_tokens,
                draft_gib=self.subject.draft_gib,
                load_format=case.load_format,
                disk_gib=case.disk_gib,
            ),
        )

    @cached_property
    def memory(self) -> NodeMemory:
        """The node that it ran on."""
        memory = get_node_memory("vllm", usable_gib=self.case.total_gib, fraction=self.case.share)
        if self.case.hardware == "gb10":
            return memory
        return NodeMemory(
            usable_gib=memory.usable_gib,
            fraction=memory.fraction,
            runtime_gib=DISCRETE_ENGINE_GIB,
            counts_parts=True,
        )

    @cached_property
    def fit(self) -> Fit:
        """The answer of the memory model."""
        return fit_cut(self.demand, self.memory, self.cut)

    @property
    def predicted(self) -> float:
        """What the source's figure is by the memory model."""
        return COMPUTED[self.case.what](self)

    @property
    def error(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted / self.case.measured - 1.0


def _get_part(row: MemoryRow, name: str) -> float:
    return sum(part.gib for part in row.fit.parts if part.name == name)


def _compute_model_cache(row: MemoryRow) -> float:
    """As the model defines it, whatever an engine's pages are."""
    profile = build_cache_profile(row.subject.shape, row.cut)
    element_bytes = get_cache_element_bytes(row.case.kv_cache)
    return profile.compute_bytes(row.case.context or 1, element_bytes) / GIB


def _compute_page(row: MemoryRow) -> float:
    stage = build_cache_profile(row.subject.shape, row.cut).stages[0]
    return compute_page_bytes(stage, get_cache_element_bytes(row.case.kv_cache))


def _compute_draft(row: MemoryRow) -> float:
    return compute_draft_gib(row.subject.shape, row.subject.quantisation, row.demand.settings)


COMPUTED: Mapping[str, Callable[[MemoryRow], float]] = {
    "free_gib": lambda row: row.fit.free_gib,
    "weights_gib": lambda row: _get_part(row, "weights") + _get_part(row, "draft layers"),
    "draft_gib": _compute_draft,
    "graphs_gib": lambda row: _get_part(row, "recorded graphs"),
    "activations_gib": lambda row: _get_part(row, "activations"),
    "loader_gib": lambda row: _get_part(row, "loader buffers"),
    "cache_gib": lambda row: row.fit.cache_gib,
    "model_cache_gib": _compute_model_cache,
    "sequences": lambda row: float(row.fit.max_batch),
    "page_bytes": _compute_page,
}


def load_memory_rows(path: Path = DATA) -> list[MemoryRow]:
    """All rows, in the order of the file."""
    documents = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return [
        MemoryRow(MemoryCase.model_validate(document), describe_row(document))
        for document in documents
    ]
