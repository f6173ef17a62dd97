"""LoRA adapters and what a model's weights are stored in."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import VllmService
from sparkform.models.shape import is_mixture
from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome

REFUSED = ("bnb", "bitsandbytes", "gguf")
MARLIN_ONLY = "nvfp4"


def check_adapter_quant(service: ServiceView) -> Iterator[RuleOutcome]:
    """Adapters on a mixture of experts need expert kernels that know them.

    vLLM's list has MXFP4, FP8, GPTQ, AWQ and compressed tensors, and neither bitsandbytes nor GGUF;
    NVFP4 only by Marlin's kernels. Dense models take adapters whatever they are stored in.
    """
    block = service.block
    if not isinstance(block, VllmService) or not block.adapters or service.shape is None:
        return
    if not is_mixture(service.shape):
        return
    quant = (block.quantization or service.quant or "").lower()
    path = service.get_path("adapters")
    if quant.startswith(REFUSED):
        yield RuleFinding(
            path=path,
            message=f"vLLM serves no adapters on a mixture of experts in {quant}.",
            remedy="model: the handle of an FP8, AWQ or GPTQ checkpoint",
            severity=MANDATORY,
        )
    elif quant.startswith(MARLIN_ONLY) and service.settings.get_text("moe_backend") != "marlin":
        yield RuleFinding(
            path=path,
            message="Adapters on NVFP4 experts work with Marlin's kernels only.",
            remedy="moeBackend: marlin",
            severity=ADVISORY,
        )


SERVICE_RULES = {"adapter-quant": check_adapter_quant}
