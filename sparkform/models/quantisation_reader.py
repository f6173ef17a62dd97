"""From a checkpoint's quantization_config to bits by role.

Reads AWQ, GPTQ, AutoRound, block FP8, MXFP4, ModelOpt (mixed ones too) and compressed-tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkform.errors import InputError, Problem
from sparkform.models.config_schema import get_text_part
from sparkform.models.json_input import JsonObject
from sparkform.models.module_patterns import ModulePatterns, list_modules
from sparkform.models.quantisation import (
    CONVERTED,
    METHODS,
    UNCONVERTED_BITS,
    Method,
    Quantisation,
    plan_quantisation,
)
from sparkform.models.shape import ModelShape, Role, is_mixture

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
class ConvertedGroup:
    """Modules that one method converts, and its bits a weight with scales."""

    method: Method
    bits: float
    targets: ModulePatterns
    every_linear: bool


def read_quantisation(config: JsonObject, shape: ModelShape, name: str) -> Quantisation:
    """How the checkpoint of `config` stores its weights; 16 bits where it says nothing.

    Raises InputError for a quant_method that sparkform does not know.
    """
    declared = config.get("quantization_config") or get_text_part(config).get("quantization_config")
    if not isinstance(declared, Mapping):
        return plan_quantisation(METHODS["bf16"], mixture=is_mixture(shape))
    groups = _read_groups(declared, name)
    ignored = ModulePatterns(_list_ignored(declared))
    bits = {
        role: _average_role_bits(role, shape, groups, ignored)
        for role in CONVERTED
        if _list_layers(role, shape)
    }
    named_head = [group.bits for group in groups if group.targets.match("lm_head")]
    if named_head and not ignored.match("lm_head"):
        # Never converted by the class name Linear alone, but some checkpoints name it.
        bits["head"] = named_head[0]
    if get_text_part(config).get("expert_dtype") == "fp4" and "weight_block_size" in declared:
        # DeepSeek-V4: an FP8 quantization_config that describes all but the experts.
        bits["experts"] = METHODS["mxfp4"].bits
    return Quantisation(name=_name_checkpoint(groups, bits), bits=bits)


def _list_ignored(declared: JsonObject) -> list[str]:
    texts: list[str] = []
    for key in ("modules_to_not_convert", "ignore", "exclude_modules"):
        value = declared.get(key)
        if isinstance(value, Sequence) and not isinstance(value, str):
            texts += [str(item) for item in value]
    return [text for text in texts if not any(tower in text for tower in OTHER_TOWERS)]


def _read_groups(declared: JsonObject, name: str) -> list[ConvertedGroup]:
    layers = declared.get("quantized_layers")
    if isinstance(layers, Mapping):
        return _read_groups_by_layer(layers, name)
    config_groups = declared.get("config_groups")
    if isinstance(config_groups, Mapping) and config_groups:
        return [_read_compressed_group(group) for group in config_groups.values()]
    method, bits = _read_single_method(declared, name)
    return [ConvertedGroup(method, bits, ModulePatterns([]), every_linear=True)]


def _read_single_method(declared: JsonObject, name: str) -> tuple[Method, float]:
    algorithm = str(declared.get("quant_algo", ""))
    quant_method = str(declared.get("quant_method", "")).lower()
    if algorithm in ALGORITHMS:
        method = METHODS[ALGORITHMS[algorithm]]
        return method, method.bits
    if quant_method in WEIGHT_ONLY:
        return _read_integer_method(declared)
    if quant_method in ("fp8", "mxfp4"):
        return METHODS[quant_method], METHODS[quant_method].bits
    known_methods = ", ".join(
        sorted({"fp8", "mxfp4", "modelopt", "compressed-tensors", *WEIGHT_ONLY})
    )
    raise InputError(
        [
            Problem(
                path=f"{name}: quantization_config.quant_method",
                message="is not a method that sparkform can size",
                got=quant_method or algorithm or "nothing",
                allowed=known_methods,
                remedy="give --quant to size it as another one",
            )
        ]
    )


def _read_integer_method(weights: JsonObject) -> tuple[Method, float]:
    bits = _get_integer(weights.get("bits", weights.get("num_bits")), 4)
    group = _get_integer(weights.get("group_size"), 128)
    method = METHODS["int8" if bits > 4 else "int4"]
    scales = 0.0 if group <= 0 else (16 + bits) / group
    return method, bits + scales


def _get_integer(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _read_compressed_group(group: object) -> ConvertedGroup:
    fields = group if isinstance(group, Mapping) else {}
    weights = fields.get("weights")
    weights = weights if isinstance(weights, Mapping) else {}
    targets = [str(target) for target in fields.get("targets") or [EVERY_LINEAR]]
    if str(weights.get("type", "int")) == "float":
        floats = {8: "fp8", 4: "mxfp4" if weights.get("group_size") == 32 else "nvfp4"}
        method = METHODS[floats.get(_get_integer(weights.get("num_bits"), 8), "fp8")]
        bits = method.bits
    else:
        method, bits = _read_integer_method(weights)
    return ConvertedGroup(
        method, bits, ModulePatterns(targets), every_linear=EVERY_LINEAR in targets
    )


def _read_groups_by_layer(layers: JsonObject, name: str) -> list[ConvertedGroup]:
    modules: dict[str, list[str]] = {}
    for module, entry in layers.items():
        algorithm = entry.get("quant_algo") if isinstance(entry, Mapping) else None
        modules.setdefault(str(algorithm), []).append(module)
    unknown = sorted(set(modules) - set(ALGORITHMS))
    if unknown:
        problem = Problem(
            path=f"{name}: quantized_layers",
            message="has unknown algorithms",
            got=", ".join(unknown),
            allowed=", ".join(ALGORITHMS),
        )
        raise InputError([problem])
    return [
        ConvertedGroup(
            METHODS[ALGORITHMS[key]], METHODS[ALGORITHMS[key]].bits, ModulePatterns(names), False
        )
        for key, names in modules.items()
    ]


def _list_layers(role: Role, shape: ModelShape) -> list[int]:
    return [
        index
        for index, block in enumerate(shape.blocks)
        if block.count_parameters_by_role()[role] > 0
    ]


def _average_role_bits(
    role: Role, shape: ModelShape, groups: Sequence[ConvertedGroup], ignored: ModulePatterns
) -> float:
    layers = _list_layers(role, shape)
    return sum(_get_layer_bits(role, layer, shape, groups, ignored) for layer in layers) / len(
        layers
    )


def _get_layer_bits(
    role: Role,
    layer: int,
    shape: ModelShape,
    groups: Sequence[ConvertedGroup],
    ignored: ModulePatterns,
) -> float:
    modules = list_modules(role, layer, beside_dense=_has_both(shape, layer))
    if any(ignored.match(module) for module in modules):
        return UNCONVERTED_BITS
    for group in groups:
        if any(group.targets.match(module) for module in modules):
            return group.bits
    return next((group.bits for group in groups if group.every_linear), UNCONVERTED_BITS)


def _has_both(shape: ModelShape, layer: int) -> bool:
    part = shape.blocks[layer].feed_forward
    return bool(part and part.dense and part.experts)


def _name_checkpoint(groups: Sequence[ConvertedGroup], bits: Mapping[Role, float]) -> str:
    """The method with the fewest bits that some role really has: it names the checkpoint."""
    lowest_bits = min(bits.values(), default=UNCONVERTED_BITS)
    if "experts" in bits and bits["experts"] == METHODS["mxfp4"].bits:
        return "mxfp4"
    nearest = min(groups, key=lambda group: abs(group.bits - lowest_bits))
    return nearest.method.name
