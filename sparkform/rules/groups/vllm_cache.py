"""The type of vLLM's KV cache: its name, and which models and drafts of GB10 read it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome
from sparkform.versions import Version

# CacheDType of vllm/config/cache.py, 0.17 to 0.25; `turboquant_…` beside them.
CACHE_TYPES = (
    "auto",
    "bfloat16",
    "float16",
    "fp8",
    "fp8_e4m3",
    "fp8_e5m2",
    "fp8_ds_mla",
    "fp8_inc",
    "fp8_per_token_head",
    "int4_per_token_head",
    "int8_per_token_head",
    "nvfp4",
)
TURBOQUANT, LATENT_SUFFIX = "turboquant_", "_ds_mla"
PARALLEL_DRAFTS = ("dflash", "dspark")
"""Their attention looks at later tokens too, which few kernels do."""

FIRST_UNSEEN = Version("0.28.0")
"""Reports of caches that GB10's kernels refuse end with 0.27.2."""

MLA_SOURCE = "vllm-project/vllm: vllm/v1/attention/backend.py (validate_configuration)"
NVFP4_SOURCE = (
    "https://github.com/vllm-project/vllm/issues/43562 (0.21, SM120); hiceron/spark-qwen38-27b: "
    "README.md (0.27.2, GB10)"
)
DRAFT_SOURCE = (
    "https://github.com/AEON-7/vllm-ultimate-dgx-spark/issues/1 (0.23); "
    "https://github.com/vllm-project/vllm/issues/41559"
)


def check_cache_type(service: ServiceView) -> Iterator[RuleOutcome]:
    """vLLM refuses a cache type that it does not know, and kernels one that they cannot read.

    `…_ds_mla` is the layout of latent attention. On GB10 no kernels of a release up to 0.27 read
    NVFP4, nor 8 bits where drafts look ahead in parallel (DFlash, DSpark): FlashAttention 2, which
    those take, has no 8-bit cache. A community build can have kernels of its own.
    """
    written = service.settings.get_text("kv_cache_dtype")
    if not written or written == "auto":
        return
    finding = (
        _judge_name(service, written)
        or _judge_layout(service, written)
        or _judge_kernels(service, written)
    )
    if finding is not None:
        yield finding


def _judge_name(service: ServiceView, written: str) -> RuleFinding | None:
    is_known = (
        written in CACHE_TYPES or written.startswith(TURBOQUANT) or written.endswith(LATENT_SUFFIX)
    )
    if is_known and written != "fp8_inc":
        return None
    if written == "fp8_inc":
        message, near_names = "The cache type fp8_inc is for Intel's Gaudi.", ["fp8"]
    else:
        message = f"vLLM has no cache type called {written[:60]}."
        near_names = get_close_matches(_spell_out(written), CACHE_TYPES, 1, cutoff=0.5)
    return _build_finding(service, message, near_names[0] if near_names else "auto", None)


def _spell_out(written: str) -> str:
    return {"bf16": "bfloat16", "fp16": "float16"}.get(written, written)


def _judge_layout(service: ServiceView, written: str) -> RuleFinding | None:
    if not written.endswith(LATENT_SUFFIX) or service.has_latent_attention is not False:
        return None
    message = f"The cache type {written} is laid out for latent attention, which this model lacks."
    return _build_finding(service, message, "fp8", MLA_SOURCE)


def _judge_kernels(service: ServiceView, written: str) -> RuleFinding | None:
    """What reports tell of releases up to the newest that they name."""
    version = service.version
    if version is None or version >= FIRST_UNSEEN or service.has_latent_attention is not False:
        return None
    if written == "nvfp4":
        message = "No attention kernels of this release read an NVFP4 cache on GB10."
        return _build_finding(service, message, "fp8", NVFP4_SOURCE)
    if _drafts_in_parallel(service) and written.startswith("fp8"):
        message = (
            f"The draft's attention takes FlashAttention 2, which reads no {written} cache on GB10."
        )
        return _build_finding(service, message, "auto", DRAFT_SOURCE)
    return None


def _drafts_in_parallel(service: ServiceView) -> bool:
    method = service.settings.get_text("speculative_method")
    return (
        method.startswith(PARALLEL_DRAFTS)
        and service.settings.find("draft_attention_backend") is None
    )


def _build_finding(
    service: ServiceView, message: str, remedy: str, evidence: str | None
) -> RuleFinding:
    return RuleFinding(
        path=service.settings.get_path("kv_cache_dtype"),
        message=message,
        remedy=f"kvCacheDtype: {remedy}",
        severity=MANDATORY if service.is_engine_release else ADVISORY,
        evidence=evidence,
    )


SERVICE_RULES = {"vllm-cache-type": check_cache_type}
