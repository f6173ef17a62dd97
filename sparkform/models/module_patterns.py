"""Which weight modules the lists of a quantization_config name, and what modules a role has."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator

from sparkform.models.shape import Role

# Module names, below a layer, by which checkpoints of transformers' models hold each role. One
# projection stands for its role: quantisers convert or leave a whole role of a layer.
MODULES: dict[Role, tuple[str, ...]] = {
    "attention": ("self_attn.q_proj", "self_attn.q_b_proj", "mixer.q_proj", "attn.wq_b"),
    "state": ("linear_attn.in_proj_qkv", "linear_attn.in_proj_qkvz", "mixer.in_proj"),
    "dense": ("mlp.gate_proj", "mlp.up_proj", "feed_forward.gate_proj", "mixer.up_proj"),
    "shared": (
        "mlp.shared_expert.gate_proj",
        "mlp.shared_experts.gate_proj",
        "mixer.shared_experts.up_proj",
        "ffn.shared_experts.w1",
        "feed_forward.shared_expert.gate_proj",
    ),
    "experts": (
        "mlp.experts.0.gate_proj",
        "mlp.experts",
        "mixer.experts.0.up_proj",
        "mixer.experts.1.up_proj",
        "block_sparse_moe.experts.0.w1",
        "experts.0.gate_proj",
        "ffn.experts",
        "feed_forward.experts.gate_up_proj",
    ),
}


def list_modules(role: Role, layer: int, *, beside_dense: bool) -> list[str]:
    """The names under which `role` may stand in layer `layer`.

    Where a plain MLP stands beside the experts (Gemma 4) the name `mlp` is the plain one's.
    """
    names = MODULES.get(role, ())
    if role == "experts" and beside_dense:
        names = tuple(name for name in names if not name.startswith("mlp."))
    return [f"layers.{layer}.{module}" for module in names]


class ModulePatterns:
    """A list of module names, globs and `re:` expressions, as quantisers write them."""

    def __init__(self, patterns: Iterable[str]) -> None:
        texts = list(patterns)
        self.names = {_strip_above_layers(text) for text in texts if not _is_pattern(text)}
        expressions = [_build_expression(text) for text in texts if _is_pattern(text)]
        self.expression = re.compile("|".join(expressions)) if expressions else None

    def match(self, module: str) -> bool:
        """Whether a pattern names `module`, one of its parents, or a part of its path."""
        if any(path_part in self.names for path_part in _list_path_parts(module)):
            return True
        return bool(self.expression and self.expression.search(module))


def _is_pattern(text: str) -> bool:
    return text.startswith("re:") or "*" in text


def _strip_above_layers(text: str) -> str:
    return text[text.index("layers.") :] if "layers." in text else text


def _build_expression(text: str) -> str:
    if text.startswith("re:"):
        return f"(?:{text.removeprefix('re:').removeprefix('^').replace('model.', '')})"
    translated = fnmatch.translate(_strip_above_layers(text)).replace("(?s:", "(?:")
    return f"(?:^{translated.removesuffix(chr(92) + 'Z')}(?:$|\\.))"


def _list_path_parts(module: str) -> Iterator[str]:
    """All contiguous runs of path parts: `layers.3.mlp` gives `layers`, `layers.3`, `3.mlp` ..."""
    parts = module.split(".")
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            yield ".".join(parts[start:end])
