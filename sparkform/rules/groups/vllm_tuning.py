"""Memory, kernels and graphs of vLLM on GB10."""

from __future__ import annotations

from collections.abc import Iterator

from node.host.labels import TOKEN
from sparkform.report.facts import MemoryFacts
from sparkform.rules.context import GIB_IN_KIB, ServiceView
from sparkform.rules.engine_settings import PAGE_CACHE_SOURCE, counts_page_cache
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome, RuleSkip

MOST_UTILIZATION, USUAL_UTILIZATION = 0.90, 0.85
MARGIN_GIB = 1.0
"""Left between what vLLM asks for and what is free: 0.82 of 121.7 GiB started where 101 were free,
0.835 did not (DSpark-2x-DGX-Spark issue 47), so that less than 1 GiB decides."""

HEAVY_GIB = 90.0
NVFP4_NAMES = ("nvfp4", "-fp4", "_fp4")
# Kernels for SM121 that reports of NVFP4 at full speed name (tests/data/works).
FAST_FP4_KERNELS = ("marlin", "cutlass", "flashinfer_cutlass", "flashinfer_b12x", "b12x")
BAD_NCCL = "2.28.9"


def check_memory_utilization(service: ServiceView) -> Iterator[RuleOutcome]:
    """vLLM's default share of 0.92 is more than a Spark has free, and 0.92 crashed twice.

    The share is of all memory, system and desktop included, and vLLM refuses to start when less is
    free, also with a cache of fixed size. Working recipes use up to 0.90; a machine that has served
    may have only 101 of 121.7 GiB free. With facts each node's MemAvailable decides (its MemFree in
    vLLM 0.24, which takes the page cache for used), without them these figures.
    """
    share = service.settings.get_number("memory_fraction")
    path = service.settings.get_path("memory_fraction")
    if share is None:
        yield RuleFinding(
            path=path,
            message="vLLM's default memory share of 0.92 does not start or crashes on a Spark.",
            remedy="gpuMemoryUtilization: 0.8",
        )
        return
    yield from _check_available_memory(service, share, path)
    yield from _warn_of_page_cache(service, path)
    if share > USUAL_UTILIZATION:
        is_too_much = share > MOST_UTILIZATION
        yield RuleFinding(
            path=path,
            message=(
                f"A memory share of {share:g} is too large: shares above 0.90 have crashed "
                "on Sparks."
                if is_too_much
                else f"A memory share of {share:g} is free only on a Spark that was just started."
            ),
            remedy="gpuMemoryUtilization: 0.85",
            severity=MANDATORY if is_too_much else ADVISORY,
        )


def _warn_of_page_cache(service: ServiceView, path: str) -> Iterator[RuleFinding]:
    """Where no facts tell what is free: the weights stay in the page cache after a first try."""
    if counts_page_cache(service) and service.context.reports is None:
        yield RuleFinding(
            path=path,
            message="vLLM 0.24 takes the page cache for used, so that a second start can fail.",
            remedy="# image: vLLM 0.25 or newer; or drop the page cache before each start",
            severity=ADVISORY,
            evidence=PAGE_CACHE_SOURCE,
        )


def _check_available_memory(service: ServiceView, share: float, path: str) -> Iterator[RuleOutcome]:
    """Each node's MemAvailable against the share of its total, unless a service runs there."""
    is_serving = _is_serving(service)
    for node in service.nodes:
        report = service.context.find_report(node.name)
        memory = report.facts.memory if report else None
        if memory is None:
            yield RuleSkip(path=path, reason=f"the memory of {node.name} is not known")
            continue
        wanted_gib = share * memory.total_kib / GIB_IN_KIB
        free_gib = _get_free_kib(service, memory) / GIB_IN_KIB
        if wanted_gib + MARGIN_GIB <= free_gib or is_serving:
            continue
        if is_serving is None:
            yield RuleSkip(path=path, reason="whether the service runs already is not known")
        else:
            yield RuleFinding(
                path=path,
                message=(
                    f"vLLM's share is {wanted_gib:.1f} GiB and {node.name} has {free_gib:.1f} "
                    "GiB available: vLLM refuses to start."
                ),
                remedy=f"gpuMemoryUtilization: {_compute_share(free_gib, memory.total_kib):g}",
                severity=MANDATORY,
            )


def _get_free_kib(service: ServiceView, memory: MemoryFacts) -> int:
    """What vLLM will find free, as far as the report tells."""
    if counts_page_cache(service) and memory.free_kib is not None:
        return memory.free_kib
    return memory.available_kib


def _is_serving(service: ServiceView) -> bool | None:
    """Whether engines of ours hold memory of its nodes, which `stop_previous` gives back first.

    A native engine is known by its API's port. None where a node could not tell.
    """
    reports = [service.context.find_report(node.name) for node in service.nodes]
    node_facts = [report.facts for report in reports if report is not None]
    port = service.settings.get_integer("port")
    if any(
        container.state == "running" and TOKEN in container.labels
        for facts in node_facts
        for container in facts.containers or ()
    ) or any(listener.port == port for facts in node_facts for listener in facts.ports or ()):
        return True
    is_native = service.block.runtime == "native"
    answers = [facts.ports if is_native else facts.containers for facts in node_facts]
    return None if None in answers else False


def _compute_share(free_gib: float, total_kib: int) -> float:
    share = (free_gib - MARGIN_GIB) * GIB_IN_KIB / total_kib
    return max(int(share * 100) / 100, 0.01)


def check_enforce_eager(service: ServiceView) -> Iterator[RuleOutcome]:
    """Without CUDA graphs one build lost a third to a half of its speed, another nothing.

    It is for finding faults: a later hang is no cure.
    """
    setting = service.settings.find("enforce_eager")
    if setting is not None and setting.is_on:
        yield RuleFinding(
            path=setting.path,
            message="Decoding without CUDA graphs is slower.",
            remedy="enforceEager: false",
        )


def check_allocator(service: ServiceView) -> Iterator[RuleOutcome]:
    """expandable_segments with FlashInfer's autotuner has reset a head node (large models).

    The kernel log told of NV_ERR_NO_MEMORY. Working set-ups with it exist.
    """
    for name in ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"):
        setting = service.variables.get(name)
        if setting is None or "expandable_segments:true" not in setting.text:
            continue
        subject = service.subject
        if subject is None:
            yield RuleSkip(path=setting.path, reason="the model's size is not known")
        elif _compute_weights_gib(service) > HEAVY_GIB:
            yield RuleFinding(
                path=setting.path,
                message=(
                    f"Expandable segments with weights above {HEAVY_GIB:.0f} GiB have reset a node."
                ),
                remedy=f"environment: {{{name}: expandable_segments:False}}",
            )


def _compute_weights_gib(service: ServiceView) -> float:
    from sparkform.sizing.engine_memory import GIB
    from sparkform.sizing.split import Cut, compute_weights_bytes

    subject = service.subject
    if subject is None:
        return 0.0
    cut = Cut(tensor_parallel=1, pipeline_parallel=1)
    return compute_weights_bytes(subject.shape, subject.quantisation, cut) / GIB


def check_nvfp4_kernels(service: ServiceView) -> Iterator[RuleOutcome]:
    """Users report: NVFP4 in vLLM was slower than AWQ on GB10, as it fell through to bad kernels.

    It depends on the build: NVFP4 experts reach 23 to 46 % of the bandwidth, and dense models
    picked a slow kernel up to v0.29.0. Naming kernels that are reported to be fast silences this.
    """
    is_nvfp4 = any(part in service.model for part in NVFP4_NAMES)
    if service.settings.get_text("quantization") in ("modelopt_fp4", "nvfp4", "fp4"):
        is_nvfp4 = True
    if not is_nvfp4 or service.settings.get_text("moe_backend") in FAST_FP4_KERNELS:
        return
    if service.settings.get_text("linear_backend") in FAST_FP4_KERNELS:
        return
    yield RuleFinding(
        path=service.get_path("model"),
        message="vLLM builds differ in whether NVFP4 runs on fast kernels of GB10.",
        remedy="moeBackend: marlin  # or a checkpoint in AWQ",
    )


def check_nccl_hang(service: ServiceView) -> Iterator[RuleOutcome]:
    """The pip wheel of NCCL 2.28.9 hangs two nodes after 20 to 26 minutes under load.

    About 1.1 million collectives; enforceEager only delays it. A newer libnccl in the image cures.
    """
    if not service.spans_nodes or service.image is None:
        return
    if "VLLM_NCCL_SO_PATH" in service.variables:
        return
    version = service.nccl_version
    if version is None:
        reason = f"the catalogue does not know which NCCL {service.image.tagged} has"
        yield RuleSkip(path=service.get_path("image"), reason=reason)
    elif version.startswith(BAD_NCCL):
        yield RuleFinding(
            path=service.get_path("image"),
            message=f"NCCL {BAD_NCCL} hangs several nodes after about half an hour of load.",
            remedy="environment: {VLLM_NCCL_SO_PATH: /usr/lib/aarch64-linux-gnu/libnccl.so.2}",
        )


SERVICE_RULES = {
    "vllm-util": check_memory_utilization,
    "vllm-eager": check_enforce_eager,
    "alloc-conf": check_allocator,
    "nvfp4-on-vllm": check_nvfp4_kernels,
    "nccl-soak": check_nccl_hang,
}
