"""From a checkpoint's quantization_config to bits by role.

Reads AWQ, GPTQ, AutoRound, block FP8, MXFP4, ModelOpt (mixed ones too) and compressed-tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkform.errors import InputError, Problem
from sparkform.models.config_schema import Json, text_part
from sparkform.models.module_patterns import ModulePatterns, modules_of
from sparkform.models.quantisation import (
    CONVERTED,
    KEPT_BITS,
    METHODS,
    Method,
    Quantisation,
    quantised,
)
from sparkform.models.shape import Role, Shape, is_mixture

EVERY_LINEAR = "Linear"
ALGORITHMS = {
    "NVFP4": "nvfp4",
    "W4A16_NVFP4": "nvfp4",
    "NVFP4_AWQ": "nvfp4",
    "FP8": "fp8",
    "FP8_PB_WO": "fp8",
    "W8A8_SQ_PER_CHANNEL": "int8",
    "W4A16_AWQ": "int4",
    "W4A8_AWQ": "int4",
    "MXFP4": "mxfp4",
    "MXFP8": "fp8",
}
# Draft layers and vision towers have lists of their own and layer numbers that mean other layers.
OTHER_TOWERS = ("mtp", "visual", "vision")
WEIGHT_ONLY = {"awq", "gptq", "auto-round", "autoround", "intel/auto-round", "gptq_marlin"}


@dataclass(frozen=True)
class Group:
    """Modules that one method converts, and its bits a weight with scales."""

    method: Method
    bits: float
    targets: ModulePatterns
    every_linear: bool


def read_quantisation(config: Json, shape: Shape, name: str) -> Quantisation:
    """How the checkpoint of `config` stores its weights; 16 bits where it says nothing.

    Raises InputError for a quant_method that sparkform does not know.
    """
    declared = config.get("quantization_config") or text_part(config).get("quantization_config")
    if not isinstance(declared, Mapping):
        return quantised(METHODS["bf16"], mixture=is_mixture(shape))
    groups = _groups(declared, name)
    ignored = ModulePatterns(_ignored(declared))
    bits = {
        role: _role_bits(role, shape, groups, ignored)
        for role in CONVERTED
        if _layers_with(role, shape)
    }
    named_head = [group.bits for group in groups if group.targets.match("lm_head")]
    if named_head and not ignored.match("lm_head"):
        # Never converted by the class name Linear alone, but some checkpoints name it.
        bits["head"] = named_head[0]
    if text_part(config).get("expert_dtype") == "fp4" and "weight_block_size" in declared:
        # DeepSeek-V4: an FP8 quantization_config that describes all but the experts.
        bits["experts"] = METHODS["mxfp4"].bits
    return Quantisation(name=_leading(groups, bits), bits=bits)


def _ignored(declared: Json) -> list[str]:
    listed: list[str] = []
    for key in ("modules_to_not_convert", "ignore", "exclude_modules"):
        value = declared.get(key)
        if isinstance(value, Sequence) and not isinstance(value, str):
            listed += [str(item) for item in value]
    return [text for text in listed if not any(tower in text for tower in OTHER_TOWERS)]


def _groups(declared: Json, name: str) -> list[Group]:
    layers = declared.get("quantized_layers")
    if isinstance(layers, Mapping):
        return _groups_by_layer(layers, name)
    listed = declared.get("config_groups")
    if isinstance(listed, Mapping) and listed:
        return [_compressed_group(group) for group in listed.values()]
    method, bits = _whole_method(declared, name)
    return [Group(method, bits, ModulePatterns([]), every_linear=True)]


def _whole_method(declared: Json, name: str) -> tuple[Method, float]:
    algorithm = str(declared.get("quant_algo", ""))
    quant_method = str(declared.get("quant_method", "")).lower()
    if algorithm in ALGORITHMS:
        method = METHODS[ALGORITHMS[algorithm]]
        return method, method.bits
    if quant_method in WEIGHT_ONLY:
        return _integer(declared)
    if quant_method in ("fp8", "mxfp4"):
        return METHODS[quant_method], METHODS[quant_method].bits
    known = ", ".join(sorted({"fp8", "mxfp4", "modelopt", "compressed-tensors", *WEIGHT_ONLY}))
    raise InputError(
        [
            Problem(
                path=f"{name}: quantization_config.quant_method",
                what="is not a method that sparkform can size",
                got=quant_method or algorithm or "nothing",
                allowed=known,
                remedy="give --quant to size it as another one",
            )
        ]
    )


def _integer(weights: Json) -> tuple[Method, float]:
    bits = _number(weights.get("bits", weights.get("num_bits")), 4)
    group = _number(weights.get("group_size"), 128)
    method = METHODS["int8" if bits > 4 else "int4"]
    scales = 0.0 if group <= 0 else (16 + bits) / group
    return method, bits + scales


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _compressed_group(group: object) -> Group:
    fields = group if isinstance(group, Mapping) else {}
    weights = fields.get("weights")
    weights = weights if isinstance(weights, Mapping) else {}
    targets = [str(target) for target in fields.get("targets") or [EVERY_LINEAR]]
    if str(weights.get("type", "int")) == "float":
        floats = {8: "fp8", 4: "mxfp4" if weights.get("group_size") == 32 else "nvfp4"}
        method = METHODS[floats.get(_number(weights.get("num_bits"), 8), "fp8")]
        bits = method.bits
    else:
        method, bits = _integer(weights)
    return Group(method, bits, ModulePatterns(targets), every_linear=EVERY_LINEAR in targets)


def _groups_by_layer(layers: Json, name: str) -> list[Group]:
    modules: dict[str, list[str]] = {}
    for module, entry in layers.items():
        algorithm = entry.get("quant_algo") if isinstance(entry, Mapping) else None
        modules.setdefault(str(algorithm), []).append(module)
    unknown = sorted(set(modules) - set(ALGORITHMS))
    if unknown:
        problem = Problem(
            path=f"{name}: quantized_layers",
            what="has unknown algorithms",
            got=", ".join(unknown),
            allowed=", ".join(ALGORITHMS),
        )
        raise InputError([problem])
    return [
        Group(METHODS[ALGORITHMS[key]], METHODS[ALGORITHMS[key]].bits, ModulePatterns(names), False)
        for key, names in modules.items()
    ]


def _layers_with(role: Role, shape: Shape) -> list[int]:
    return [
        index for index, block in enumerate(shape.blocks) if block.parameters_by_role()[role] > 0
    ]


def _role_bits(role: Role, shape: Shape, groups: Sequence[Group], ignored: ModulePatterns) -> float:
    layers = _layers_with(role, shape)
    return sum(_layer_bits(role, layer, shape, groups, ignored) for layer in layers) / len(layers)


def _layer_bits(
    role: Role, layer: int, shape: Shape, groups: Sequence[Group], ignored: ModulePatterns
) -> float:
    modules = modules_of(role, layer, beside_dense=_has_both(shape, layer))
    if any(ignored.match(module) for module in modules):
        return KEPT_BITS
    for group in groups:
        if any(group.targets.match(module) for module in modules):
            return group.bits
    return next((group.bits for group in groups if group.every_linear), KEPT_BITS)


def _has_both(shape: Shape, layer: int) -> bool:
    part = shape.blocks[layer].feed_forward
    return bool(part and part.dense and part.experts)


def _leading(groups: Sequence[Group], bits: Mapping[Role, float]) -> str:
    """The method with the fewest bits that some role really has: it names the checkpoint."""
    least = min(bits.values(), default=KEPT_BITS)
    if "experts" in bits and bits["experts"] == METHODS["mxfp4"].bits:
        return "mxfp4"
    nearest = min(groups, key=lambda group: abs(group.bits - least))
    return nearest.method.name
