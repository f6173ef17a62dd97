"""Expert and attention kernels of vLLM on GB10."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome
from sparkform.rules.settings import Setting

FOR_ANY_ATTENTION = ("CUSTOM", "NO_ATTENTION")


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """One name that vLLM takes. `reason` says why it does not run on GB10, with `quants` only for
    experts of those quantisations."""

    kind: str
    name: str
    source: str
    reason: str | None = None
    quants: Sequence[str] = ()


@cache
def load_kernels() -> tuple[Kernels, ...]:
    """All names that some version of vLLM or a community build takes."""
    text = (Path(__file__).parents[1] / "kernels.json").read_text(encoding="utf-8")
    return tuple(Kernels(**row) for row in json.loads(text))


def _index_names(kind: str) -> Mapping[str, Kernels]:
    return {kernels.name: kernels for kernels in load_kernels() if kernels.kind == kind}


def check_expert_kernels(service: ServiceView) -> Iterator[RuleOutcome]:
    """vLLM refuses a name of expert kernels that it does not know, or that this chip cannot run.

    GB10 is SM121: kernels made for SM90, SM100 or SM103 have no code for it, and Triton's for MXFP4
    use an instruction that it has not. The draft's kernels are judged too. A community build can
    have kernels of its own, so that a name nobody knows is only warned of there.
    """
    for name in ("moe_backend", "draft_moe_backend"):
        setting = service.settings.find(name)
        if setting is not None:
            yield from _judge_experts(service, setting)


def _judge_experts(service: ServiceView, setting: Setting) -> Iterator[RuleFinding]:
    names = _index_names("moe")
    written = setting.text.replace("-", "_")
    kernels = names.get(written)
    if kernels is None:
        yield _build_unknown(service, setting, "expert", "moeBackend: {}")
    elif kernels.reason and (not kernels.quants or service.quant in kernels.quants):
        yield RuleFinding(
            path=setting.path,
            message=f"The expert kernels {written} do not run on GB10: this kind {kernels.reason}.",
            remedy="moeBackend: marlin",
            evidence=kernels.source,
        )


def check_attention_kernels(service: ServiceView) -> Iterator[RuleOutcome]:
    """vLLM refuses a name of attention kernels that it does not know, or that this chip cannot run.

    On SM121 FLASH_ATTN is FlashAttention 2, which reads no 8-bit cache, and neither it nor
    FLASHINFER has the attention sinks of gpt-oss; TRITON_ATTN has both. Kernels are for latent
    attention (MLA in their names) or for the usual kind, never for both.
    """
    setting = service.settings.find("attention_backend")
    if setting is None or setting.text == "auto":
        return
    names, written = _index_names("attention"), setting.text.upper()
    kernels = names.get(written)
    if kernels is None:
        remedy = 'extraArgs: ["--attention-backend", "{}"]'
        yield _build_unknown(service, setting, "attention", remedy)
        return
    reason = f"this kind {kernels.reason}" if kernels.reason else _find_lack(service, written)
    if reason:
        yield RuleFinding(
            path=setting.path,
            message=f"The attention kernels {written} do not run here on GB10: {reason}.",
            remedy=_suggest_attention(service),
            evidence=kernels.source if kernels.reason else None,
        )


def _suggest_attention(service: ServiceView) -> str:
    if service.has_latent_attention:
        return "# take the attention backend out: vLLM takes one for latent attention by itself"
    return 'extraArgs: ["--attention-backend", "TRITON_ATTN"]'


def _find_lack(service: ServiceView, name: str) -> str | None:
    """What the kernels of a release lack for this model or cache; builds differ."""
    if not service.is_engine_release:
        return None
    is_latent = service.has_latent_attention
    if is_latent is not None and name not in FOR_ANY_ATTENTION and is_latent != ("MLA" in name):
        return "they are for " + ("keys and values" if is_latent else "latent attention")
    cache_type = service.settings.get_text("kv_cache_dtype")
    if name in ("FLASH_ATTN", "FLASHINFER") and "gpt-oss" in service.model:
        return "they have no attention sinks, which gpt-oss needs"
    if name == "FLASH_ATTN" and cache_type.startswith("fp8"):
        return "FlashAttention 2 reads no 8-bit cache"
    return None


def _build_unknown(service: ServiceView, setting: Setting, kind: str, remedy: str) -> RuleFinding:
    is_expert = kind == "expert"
    written = setting.text.replace("-", "_") if is_expert else setting.text.upper()
    names = _index_names("moe" if is_expert else kind)
    runnable = [name for name, kernels in names.items() if not kernels.reason]
    near_names = get_close_matches(written, runnable, 1, cutoff=0.5)
    default = "marlin" if is_expert else "TRITON_ATTN"
    return RuleFinding(
        path=setting.path,
        message=f"vLLM has no {kind} kernels called {written[:60]}.",
        remedy=remedy.format(near_names[0] if near_names else default),
        severity=MANDATORY if service.is_engine_release else ADVISORY,
    )


SERVICE_RULES = {
    "vllm-moe-backend": check_expert_kernels,
    "vllm-attention-backend": check_attention_kernels,
}
