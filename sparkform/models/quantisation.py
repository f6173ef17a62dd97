"""How many bits a weight takes, by the role it plays, scales included."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sparkform.errors import InputError, Problem
from sparkform.models.shape import Role

Family = Literal["16bit", "8bit-float", "8bit-int", "4bit-int", "4bit-float", "4bit-micro"]

# The projections that quantisers convert. Embedding, head, router and norms stay at 16 bits in
# the checkpoints of vLLM's and ModelOpt's recipes, unless a checkpoint's own list says otherwise.
CONVERTED: tuple[Role, ...] = ("attention", "state", "dense", "shared", "experts")
UNCONVERTED_BITS = 16.0


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to store weights. `bits` includes the scales.

    fp8: e4m3 with one float32 scale for a 128 x 128 block (DeepSeek-V3 config.json).
    int8: one 16-bit scale a row, taken at a row of 4,096.
    int4: AWQ and GPTQ, groups of 128 with a 16-bit scale and a 4-bit zero point.
    nvfp4: groups of 16 with an 8-bit scale (ModelOpt group_size 16).
    mxfp4: groups of 32 with an 8-bit scale (OCP microscaling); only experts where there are any,
    as in the gpt-oss checkpoints.
    """

    name: str
    bits: float
    family: Family
    experts_only: bool = False


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(name="bf16", bits=16.0, family="16bit"),
        Method(name="fp16", bits=16.0, family="16bit"),
        Method(name="fp8", bits=8.0 + 32 / (128 * 128), family="8bit-float"),
        Method(name="int8", bits=8.0 + 16 / 4096, family="8bit-int"),
        Method(name="int4", bits=4.0 + (16 + 4) / 128, family="4bit-int"),
        Method(name="nvfp4", bits=4.0 + 8 / 16, family="4bit-float"),
        Method(name="mxfp4", bits=4.0 + 8 / 32, family="4bit-micro", experts_only=True),
    )
}
ALIASES = {
    "awq": "int4",
    "gptq": "int4",
    "autoround": "int4",
    "w4a16": "int4",
    "fp4": "nvfp4",
    "w8a8": "int8",
    "bfloat16": "bf16",
    "float16": "fp16",
    "float8": "fp8",
}


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """Bits a weight by role, for one checkpoint or one planned quantisation."""

    name: str
    bits: Mapping[Role, float]

    @property
    def family(self) -> Family:
        """The kernel family that decides how fast the weights stream."""
        return METHODS[self.name].family

    def get_bits(self, role: Role) -> float:
        """Bits a weight of `role`, scales included."""
        return self.bits.get(role, UNCONVERTED_BITS)


def find_method(name: str, path: str = "--quant") -> Method:
    """The method of that name or alias. Raises InputError with near names for any other."""
    canonical = name.strip().lower()
    canonical = ALIASES.get(canonical, canonical)
    if canonical in METHODS:
        return METHODS[canonical]
    known_names = [*METHODS, *ALIASES]
    suggestions = difflib.get_close_matches(canonical, known_names, n=3, cutoff=0.4)
    raise InputError(
        [
            Problem(
                path=path,
                message="is not a known quantisation",
                got=name,
                allowed=", ".join(known_names),
                remedy=f"did you mean {' or '.join(suggestions)}?" if suggestions else None,
            )
        ]
    )


def plan_quantisation(method: Method, *, mixture: bool) -> Quantisation:
    """What a recipe of `method` converts when a checkpoint's own list is not known."""
    roles: tuple[Role, ...] = CONVERTED
    if method.experts_only and mixture:
        roles = ("experts",)
    return Quantisation(name=method.name, bits=dict.fromkeys(roles, method.bits))
