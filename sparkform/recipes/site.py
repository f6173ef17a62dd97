"""Recipes of recipes.vllm.ai, as its JSON or as the YAML behind it: base, features, one variant.

vllm-project/recipes@8959cf6, CONTRIBUTING.md: what is switched on is what its page shows at first,
with the overrides for a Spark's hardware where there are some.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sparkform.recipes.docker_options import build_variable
from sparkform.recipes.engine_options import read_arguments
from sparkform.recipes.file_keys import format_scalar
from sparkform.recipes.recipe import Piece, Recipe

HARDWARE = ("dgx_spark_gb10", "blackwell")
VARIANT = "default"
DESCRIPTIONS = ("meta", "guide", "kv_offload_support", "compatible_strategies")
NOT_CHOSEN = "not switched on at first"


def is_site_recipe(document: Mapping[str, object]) -> bool:
    return "model_id" in get_mapping(document, "model")


def read_site_recipe(document: Mapping[str, object]) -> Recipe:
    model = get_mapping(document, "model")
    variants = get_mapping(document, "variants")
    variant = get_mapping(variants, VARIANT)
    handle = format_scalar(variant.get("model_id") or model.get("model_id"))
    pieces = [
        Piece("model", "model", handle, (handle,)),
        *_list_model_pieces(model),
        *_list_features(document),
        *_list_additions(variant),
        *_list_overrides(document, variant),
    ]
    unread = ("model", "variants", "features", "opt_in_features", "hardware_overrides")
    for key in document:
        if key not in unread:
            reason = "a description" if key in DESCRIPTIONS else "no key of a service says it"
            pieces.append(Piece("other", key, None, (key,), reason))
    for name in variants:
        if name != VARIANT:
            pieces.append(Piece("other", f"variants.{name}", None, (str(name),), NOT_CHOSEN))
    return Recipe(handle.rpartition("/")[2], "vllm", tuple(pieces))


def get_mapping(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    """What stands below a key, nothing where it is no mapping."""
    value = document.get(key)
    return {str(name): item for name, item in value.items()} if isinstance(value, dict) else {}


def _list_model_pieces(model: Mapping[str, object]) -> Iterator[Piece]:
    for key, value in model.items():
        if key == "docker_image":
            yield _build_image(value)
        elif key == "base_args":
            yield from _read_words(value)
        elif key == "base_env":
            yield from _read_variables(value)
        elif key != "model_id":
            text = format_scalar(value)
            yield Piece("other", f"model.{key}", text, (text,), "a description")


def _build_image(value: object) -> Piece:
    """A name, or one for each maker of GPUs, or again one for each CUDA."""
    image = value
    for key in ("nvidia", None):
        if isinstance(image, dict):
            image = image.get(key) if key else next(iter(image.values()), None)
    if isinstance(image, str):
        return Piece("image", "image", image, (image,))
    return Piece("other", "docker_image", None, ("docker_image",), "names none for NVIDIA's GPUs")


def _list_features(document: Mapping[str, object]) -> Iterator[Piece]:
    opt_in = document.get("opt_in_features")
    for name, feature in get_mapping(document, "features").items():
        if isinstance(opt_in, list) and name in opt_in:
            yield Piece("other", f"features.{name}", None, (name,), NOT_CHOSEN)
        elif isinstance(feature, dict):
            yield from _read_words(feature.get("args"))
            yield from _read_variables(feature.get("env"))


def _list_overrides(
    document: Mapping[str, object], variant: Mapping[str, object]
) -> Iterator[Piece]:
    for part in (document, variant):
        overrides = get_mapping(part, "hardware_overrides")
        chosen = next((name for name in HARDWARE if overrides.get(name)), None)
        for name in overrides:
            if name == chosen:
                yield from _list_additions(get_mapping(overrides, name))
            else:
                yield Piece("other", f"hardware_overrides.{name}", None, (name,), "other hardware")


def _list_additions(part: Mapping[str, object]) -> Iterator[Piece]:
    yield from _read_words(part.get("extra_args"))
    yield from _read_variables(part.get("extra_env"))
    for key, value in part.items():
        if key not in ("extra_args", "extra_env", "model_id", "hardware_overrides"):
            text = format_scalar(value)
            yield Piece("other", key, text, (text,), "a description")


def _read_words(value: object) -> Iterator[Piece]:
    words = [format_scalar(word) for word in value] if isinstance(value, list) else []
    yield from read_arguments(words, has_model=True)


def _read_variables(value: object) -> Iterator[Piece]:
    for name, content in (value if isinstance(value, dict) else {}).items():
        text = format_scalar(content)
        yield build_variable(str(name), text, (str(name), text))
