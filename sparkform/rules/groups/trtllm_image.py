"""Which TensorRT-LLM versions run what on GB10."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome, RuleSkip
from sparkform.versions import Version

FIRST_BAD, LAST_BAD = Version("1.3.0rc6"), Version("1.3.0rc18")
FIRST_GPT_OSS = Version("1.2.0rc1")
NEMOTRON_BAD_VERSIONS = {
    Version("1.3.0rc15"): "1.3.0rc15 hangs while it loads Nemotron-3-Super",
    Version("1.2.0rc6"): "1.2.0rc6 locks the kernel up while it maps Nemotron-3-Super",
}
RC20, RC24 = Version("1.3.0rc20"), Version("1.3.0rc24")
GOOD_IMAGE = "image: nvcr.io/nvidia/tensorrt-llm/release:1.2.1"
LOW_PRECISION_BITS = 8.5


def _skip_unversioned(service: ServiceView) -> Iterator[RuleSkip]:
    if service.image is not None and service.version is None:
        reason = "the image's tag does not tell TensorRT-LLM's version"
        yield RuleSkip(path=service.get_path("image"), reason=reason)


def check_multinode_image(service: ServiceView) -> Iterator[RuleOutcome]:
    """From 1.3.0rc6 to rc18 two Sparks crash or hang in the autotuner's warm-up.

    With TP=2 the autotuner makes an NCCL call that fails on GB10: a segmentation fault, or with
    NCCL_GIN_ENABLE=0 an endless hang. Proved on rc10 and rc13; the ends of the range follow from
    the dates of releases and fixes. NVIDIA's page on speculative decoding uses rc12 with the
    autotuner off, hence a warning only.
    """
    if not service.spans_nodes:
        return
    yield from _skip_unversioned(service)
    if service.version is None or not FIRST_BAD <= service.version <= LAST_BAD:
        return
    autotuner = service.settings.find("autotuner")
    is_tuned = autotuner is None or autotuner.is_on
    yield RuleFinding(
        path=service.get_path("image"),
        message=(
            "TensorRT-LLM 1.3.0rc6 to rc18 crash or hang several Sparks in the autotuner's warm-up."
            if is_tuned
            else "TensorRT-LLM 1.3.0rc6 to rc18 are unproven on several Sparks, even with "
            "the autotuner off."
        ),
        remedy=GOOD_IMAGE + ("" if is_tuned else " (or keep it, and watch the first start)"),
        severity=MANDATORY if is_tuned else ADVISORY,
    )


def check_multinode_unproven(service: ServiceView) -> Iterator[RuleOutcome]:
    """From 1.3.0rc19 the two-Spark crash is fixed in code, and nobody has reported a success.

    The author of the fix had no two Sparks to try it on.
    """
    if service.spans_nodes and service.version is not None and service.version > LAST_BAD:
        yield RuleFinding(
            path=service.get_path("image"),
            message=(
                "TensorRT-LLM's fix for several Sparks is unproven in this version: no "
                "report of a success was found."
            ),
            remedy=GOOD_IMAGE,
        )


def check_gpt_oss_image(service: ServiceView) -> Iterator[RuleOutcome]:
    """gpt-oss starts on GB10 from 1.2.0rc1 on, whose kernels know SM120 and SM121."""
    if "gpt-oss" not in service.model:
        return
    yield from _skip_unversioned(service)
    if service.version is not None and service.version < FIRST_GPT_OSS:
        yield RuleFinding(
            path=service.get_path("image"),
            message="TensorRT-LLM before 1.2.0rc1 has no kernels for gpt-oss on GB10.",
            remedy=GOOD_IMAGE,
        )


def check_nemotron_image(service: ServiceView) -> Iterator[RuleOutcome]:
    """Nemotron-3-Super as NVFP4 hangs 1.3.0rc15 and locks the kernel up under 1.2.0rc6.

    After the lock-up only a power cycle helped. rc12 and rc13 load it.
    """
    if "nemotron-3-super" not in service.model:
        return
    yield from _skip_unversioned(service)
    reason = NEMOTRON_BAD_VERSIONS.get(service.version) if service.version else None
    if reason:
        yield RuleFinding(
            path=service.get_path("image"),
            message=f"TensorRT-LLM {reason}.",
            remedy="image: nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc13",
        )


def check_rc20_qwen3(service: ServiceView) -> Iterator[RuleOutcome]:
    """1.3.0rc20's release notes name Qwen3: its autotuner fails to set up a CUTLASS kernel."""
    if service.version == RC20 and "qwen3" in service.model:
        yield RuleFinding(
            path=service.get_path("image"),
            message=(
                "TensorRT-LLM 1.3.0rc20 fails to tune Qwen3: its release notes name the "
                "autotuner's grouped GEMM."
            ),
            remedy="autotuner: false",
        )


def check_rc24_experts(service: ServiceView) -> Iterator[RuleOutcome]:
    """1.3.0rc24's release notes tell of wrong results of low-precision experts on several GPUs.

    They name GPT-OSS W4 and Nemotron V3 Ultra.
    """
    if service.version != RC24 or service.count_ranks("tensor_parallel") < 2:
        return
    subject = service.subject
    if subject is None:
        yield RuleSkip(path=service.get_path("model"), reason="the model's shape is not known")
    elif subject.quantisation.get_bits("experts") <= LOW_PRECISION_BITS and any(
        block.feed_forward and block.feed_forward.experts for block in subject.shape.blocks
    ):
        yield RuleFinding(
            path=service.get_path("image"),
            message=(
                "TensorRT-LLM 1.3.0rc24 loses accuracy with low-precision experts over "
                "several ranks, as its release notes say."
            ),
            remedy=GOOD_IMAGE,
        )


SERVICE_RULES = {
    "trt-multinode-image": check_multinode_image,
    "trt-multinode-unproven": check_multinode_unproven,
    "trt-gptoss-image": check_gpt_oss_image,
    "trt-nemotron-rc15": check_nemotron_image,
    "trt-rc20-qwen3": check_rc20_qwen3,
    "trt-rc24-moe": check_rc24_experts,
}
