"""What a handle says of its weights: the release, the quantisation, the parameters. Pure.

`QuantTrio/MiniMax-M2-AWQ` is the release minimax-m2 in int4; `Qwen/Qwen3-4B-Instruct-2507` has
4e9 parameters. Owners, quantisations and spelling differ from copy to copy, releases do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparkform.models.model_facts import ShapeFacts

QUANTISATIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), method)
    for pattern, method in (
        (r"nv-?fp4|fp4|w4a4", "nvfp4"),
        (r"mx-?fp4", "mxfp4"),
        (r"awq|gptq|auto-?round|w4a16|int-?4|4-?bits?|bnb|nf4|quark-int4", "int4"),
        (r"mx-?fp8|fp8|float8", "fp8"),
        (r"int-?8|8-?bits?|w8a8|w8a16", "int8"),
        (r"bf16|bfloat16", "bf16"),
        (r"fp16|float16", "fp16"),
    )
)
MARKS = re.compile(
    r"^(?:dynamic|block|kv|marlin|modelopt|compressed|tensors|ct|gb10|ac|mixed|mix|int8mix|g\d+|"
    r"sym|asym|hf|qat)$"
)
"""Words behind a quantisation that say how it was made, not of what."""

ALWAYS_DROPPED = ("quantized", "quant", "mtp")
OWNER_WORDS = ("nvidia", "meta", "redhatai", "neuralmagic")
VARIANTS = re.compile(
    r"^(?:it|instruct|chat|base|thinking|reasoning|plus|pt|sft|dpo|preview|exp|dspark|\d{4})$"
)
"""Words after which models of one shape differ only in what they were trained for."""

WORD_ENDS = re.compile(r"[-_]|\.(?=[a-z])")
SPLIT_NAMES = re.compile(r"(\d)[-_](bits?)\b|\b(nv|mx)[-_](fp[48])\b")
SIZE = re.compile(r"(?:^|-)(\d+(?:\.\d+)?)([bt])(?:-|$)")
ACTIVE = re.compile(r"-a(\d+(?:\.\d+)?)b(?:-|$)")
EXPERTS = re.compile(r"\d+x\d|-\d+e(?:-|$)|reap|pruned|lora|adapter|draft|eagle|dflash")
"""Names whose numbers are not the model's parameters."""

FACTORS = {"b": 1e9, "t": 1e12}


@dataclass(frozen=True)
class HandleParts:
    """`release` in lower case, without owner and quantisation; `method` None where the handle names
    no quantisation. `words` are what the release is compared by."""

    release: str
    method: str | None

    @property
    def key(self) -> str:
        """The release without separators: spellings differ in them."""
        return re.sub(r"[-_]", "", self.release)

    @property
    def base_key(self) -> str:
        """As `key`, for all variants of one shape."""
        words = [word for word in self.release.split("-") if not VARIANTS.match(word)]
        return "".join(words)


def split_handle(handle: str) -> HandleParts:
    """The release and the quantisation that a handle, a model's name or a folder tells."""
    name = handle.strip().lower().rstrip("/").rpartition("/")[2]
    kept: list[str] = []
    method = None
    for word in WORD_ENDS.split(SPLIT_NAMES.sub(r"\1\2\3\4", name)):
        word_method = _find_method(word)
        method = method or word_method
        is_mark = word in ALWAYS_DROPPED or (method is not None and MARKS.match(word) is not None)
        if word_method is None and not is_mark:
            kept.append(word)
    if kept and kept[0] in OWNER_WORDS:
        kept = kept[1:]
    if not kept:
        # Nothing but a quantisation is still the name of something.
        kept = [name]
    return HandleParts("-".join(kept), method)


def _find_method(word: str) -> str | None:
    return next((method for pattern, method in QUANTISATIONS if pattern.fullmatch(word)), None)


def read_size_facts(handle: str) -> ShapeFacts | None:
    """The parameters that a release's name tells (30B-A3B), None where it tells none."""
    release = split_handle(handle).release
    size = SIZE.search(release)
    if size is None or EXPERTS.search(release):
        return None
    active = ACTIVE.search(release)
    return ShapeFacts(
        parameters=float(size[1]) * FACTORS[size[2]],
        active_parameters=float(active[1]) * 1e9 if active else None,
    )
