"""Which form a text has, and the recipes in it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import yaml

from sparkform.errors import InputError, Problem
from sparkform.recipes import compose, env_file, site, yaml_recipe
from sparkform.recipes.command_line import ScriptReading
from sparkform.recipes.recipe import Recipe

FORMS = (
    "a recipe of sparkrun or spark-vllm-docker, a compose file, a file of NAME=value with the "
    "model, a recipe of recipes.vllm.ai, or a docker run, vllm serve or trtllm-serve line"
)


def read_recipes(text: str, name: str) -> list[Recipe]:
    """`name` is for recipes that have none. Raises InputError where no engine of ours is in it."""
    recipes = _read_any(text, name)
    served = [recipe for recipe in recipes if recipe.engine and _has_model(recipe)]
    if not served:
        raise InputError([_describe_unknown(recipes)])
    return served


def _has_model(recipe: Recipe) -> bool:
    return any(
        piece.kind == "model" or piece.name == "--model" or piece.kind == "image"
        for piece in recipe.pieces
    )


def _read_any(text: str, name: str) -> list[Recipe]:
    document = _parse_mapping(text)
    if document is not None and site.is_site_recipe(document):
        return [site.read_site_recipe(document)]
    if document is not None and compose.is_compose(document):
        return compose.read_compose(document, {})
    if document is not None and yaml_recipe.is_recipe(document):
        return [yaml_recipe.read_recipe(document, name)]
    if env_file.is_env_file(text):
        return [env_file.read_env_file(text, name)]
    reading = ScriptReading().read_script(text)
    return [Recipe(name, reading.engine, reading.list_pieces())]


def _parse_mapping(text: str) -> Mapping[str, object] | None:
    """YAML as its own tools read it, which is YAML 1.1; JSON is YAML but for its tabs."""
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return {str(key): value for key, value in document.items()}


def _describe_unknown(recipes: list[Recipe]) -> Problem:
    runtime = next(
        (
            piece.value
            for recipe in recipes
            for piece in recipe.pieces
            if piece.name == "runtime" and piece.value not in (None, "vllm", "trtllm")
        ),
        None,
    )
    return Problem(
        path="recipe",
        message="starts no engine that sparkform runs",
        got=runtime,
        allowed=FORMS,
        because="sparkform serves with vLLM and TensorRT-LLM",
    )
