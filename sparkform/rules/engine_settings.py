"""A service's settings as the memory model takes them: what vLLM itself will need."""

from __future__ import annotations

from dataclasses import replace

from sparkform.config import EffectiveNode, VllmService
from sparkform.rules.context import GIB_IN_KIB, ServiceView
from sparkform.sizing.engine_memory import GIB, EngineSettings
from sparkform.versions import Version

# https://github.com/vllm-project/vllm/issues/45178: on by default since 0.21.0.
GRAPHS_COUNTED_SINCE = Version("0.21.0")
PAGE_CACHE_SOURCE = "https://github.com/vllm-project/vllm/issues/48140 (0.24.0)"
PAGE_CACHE_COUNTED_IN = (0, 24)
GRAPH_ESTIMATE = "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS"
# A table of Qwen3.8-Flash-Next that is mapped from the disk
# (https://github.com/MiaAI-Lab/Qwen3.8-Flash-Next-Single-DGX-Spark/issues/44).
DISK_VARIABLES = {"VLLM_PLE_TABLE_MEMORY": "disk", "VLLM_PLE_CPU_OFFLOAD": "1"}


def build_node_settings(service: ServiceView, node: EffectiveNode) -> EngineSettings:
    """With what the node's page cache holds, where the version counts it as used."""
    cached_gib = None
    if counts_page_cache(service):
        cached_gib = _find_page_cache_gib(service, node)
    return replace(build_engine_settings(service), page_cache_gib=cached_gib)


def counts_page_cache(service: ServiceView) -> bool:
    """Whether this vLLM takes the page cache for used memory."""
    return service.version is not None and service.version.release[:2] == PAGE_CACHE_COUNTED_IN


def build_engine_settings(service: ServiceView) -> EngineSettings:
    """What is set, and what the image's version does; what is not said is left to the defaults."""
    settings, block = service.settings, service.block
    adapters = block.adapters if isinstance(block, VllmService) else ()
    eager = settings.find("enforce_eager")
    return EngineSettings(
        step_tokens=settings.get_integer("max_num_tokens"),
        sequences=settings.get_integer("max_batch_size"),
        eager=bool(eager and eager.is_on) or settings.get_text("cudagraph_mode") == "none",
        counts_graphs=_counts_graphs(service),
        draft_method=settings.get_text("speculative_method") or None,
        draft_tokens=settings.get_integer("speculative_tokens") or 0,
        draft_gib=_find_draft_gib(service),
        load_format=settings.get_text("load_format"),
        cache_gib=_get_fixed_cache_gib(service),
        disk_gib=_get_disk_gib(service),
        adapters=len(adapters),
        adapter_rank=max((adapter.rank for adapter in adapters), default=0),
    )


def leaves_weights_on_disk(service: ServiceView) -> bool:
    """Whether a variable keeps part of the weights on the disk."""
    return any(
        name in service.variables and service.variables[name].text == value
        for name, value in DISK_VARIABLES.items()
    )


def _counts_graphs(service: ServiceView) -> bool:
    variable = service.variables.get(GRAPH_ESTIMATE)
    if variable is not None:
        return variable.is_on
    newest = service.engine_version.newest if service.engine_version else None
    return newest is None or newest >= GRAPHS_COUNTED_SINCE


def _find_page_cache_gib(service: ServiceView, node: EffectiveNode) -> float | None:
    """What lies in the page cache of a node now, None where it was not read."""
    report = service.context.find_report(node.name)
    memory = report.facts.memory if report else None
    if memory is None or memory.free_kib is None:
        return None
    return max(memory.available_kib - memory.free_kib, 0) / GIB_IN_KIB


def _find_draft_gib(service: ServiceView) -> float | None:
    """What the catalogue says of the checkpoint's own draft layers, or of the draft model."""
    from sparkform.catalogue import store
    from sparkform.catalogue.describe import describe_from_catalogue
    from sparkform.sizing.split import Cut, compute_weights_bytes

    draft_entry = store.find_entry(service.block.draft_model or "")
    if draft_entry is not None:
        draft = describe_from_catalogue(draft_entry, None, by_name=draft_entry.checkpoint.handle)
        whole = Cut(tensor_parallel=1, pipeline_parallel=1)
        return compute_weights_bytes(draft.shape, draft.quantisation, whole) / GIB
    return service.subject.draft_gib if service.subject else None


def _get_fixed_cache_gib(service: ServiceView) -> float | None:
    size = service.settings.get_number("kv_cache_bytes")
    return None if size is None else size / GIB


def _get_disk_gib(service: ServiceView) -> float:
    stated = service.subject.disk_gib if service.subject else 0.0
    return stated if leaves_weights_on_disk(service) else 0.0
