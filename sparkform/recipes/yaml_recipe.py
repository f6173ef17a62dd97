"""Recipes of sparkrun and spark-vllm-docker: YAML with defaults that a command's {places} take.

Fields: spark-arena/sparkrun@0041b8f, RECIPES.md; eugr/spark-vllm-docker, recipes/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sparkform.recipes.command_line import ScriptReading
from sparkform.recipes.docker_options import build_variable
from sparkform.recipes.file_keys import format_scalar
from sparkform.recipes.recipe import Piece, Recipe

PLACE = re.compile(r"\{(\w+)\}")
DEEPEST_PLACES = 5
ENGINES = {"vllm": "vllm", "eugr-vllm": "vllm", "trtllm": "trtllm"}
DESCRIPTIONS = frozenset(
    {
        *("recipe_version", "name", "description", "metadata", "maintainer", "benchmark", "tags"),
        *("runtime_version", "category", "author", "source", "homepage", "license", "notes"),
    }
)
REASONS = {
    "runtime": "the engine is told by the command",
    "mods": "patches that its own tool makes in the image: take an image that has them",
    "build_args": "the image is built by its own tool: push it to a registry, or take another",
    "builder": "the image is built by its own tool: push it to a registry, or take another",
    "pull_image": "images are always pulled",
    "executor_config": "sparkform sets it for every rank",
    "pre_exec": "a command that sparkform does not run: bake it into the image",
    "post_exec": "a command that sparkform does not run",
    "post_commands": "a command that sparkform does not run",
    "stop_after_post": "services of sparkform stay",
    "cluster_only": "tensorParallel and pipelineParallel give the number of nodes",
    "solo_only": "tensorParallel and pipelineParallel give the number of nodes",
    "mode": "tensorParallel and pipelineParallel give the number of nodes",
    "min_nodes": "tensorParallel and pipelineParallel give the number of nodes",
    "max_nodes": "tensorParallel and pipelineParallel give the number of nodes",
}
OPTION_NAMES = {
    "tensor_parallel": "--tensor-parallel-size",
    "pipeline_parallel": "--pipeline-parallel-size",
    "data_parallel": "--data-parallel-size",
}
TRTLLM_NAMES = {
    "tensor_parallel": "--tp_size",
    "pipeline_parallel": "--pp_size",
    "max_model_len": "--max_seq_len",
    "gpu_memory_utilization": "--kv_cache_free_gpu_memory_fraction",
}


def is_recipe(document: Mapping[str, object]) -> bool:
    """Whether a YAML document has the keys of one."""
    has_work = "command" in document or "defaults" in document or "runtime" in document
    return has_work and ("model" in document or "container" in document or "command" in document)


def read_recipe(document: Mapping[str, object], name: str) -> Recipe:
    reading = ScriptReading()
    places = _list_places(document)
    command = document.get("command")
    engine = _find_engine(document)
    reading.pieces += _list_top_pieces(document)
    if isinstance(command, str):
        used = _read_command(reading, command, places)
        reading.pieces += _list_unused(document, used)
    elif engine:
        reading.engine = engine
        reading.pieces += _list_options(document, engine)
    given = document.get("name")
    label = str(given) if isinstance(given, str) and given else name
    return Recipe(label, reading.engine, reading.list_pieces())


def _find_engine(document: Mapping[str, object]) -> str | None:
    runtime = str(document.get("runtime") or "vllm")
    return next((engine for word, engine in ENGINES.items() if runtime.startswith(word)), None)


def _list_places(document: Mapping[str, object]) -> dict[str, str]:
    """What a {place} of the command stands for."""
    defaults = document.get("defaults")
    values = defaults if isinstance(defaults, dict) else {}
    model = {"model": document["model"]} if "model" in document else {}
    return {str(key): format_scalar(value) for key, value in {**model, **values}.items()}


def _read_command(reading: ScriptReading, command: str, places: Mapping[str, str]) -> set[str]:
    """The places that the command uses."""
    used: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        if match[1] not in places:
            return match[0]
        used.add(match[1])
        return places[match[1]]

    for _ in range(DEEPEST_PLACES):
        command = PLACE.sub(fill, command)
    if "{{" in command:
        # spark-vllm-docker's runner fills them in with str.format: doubled braces are braces.
        command = command.replace("{{", "{").replace("}}", "}")
    reading.read_script(command)
    return used


def _list_top_pieces(document: Mapping[str, object]) -> Iterator[Piece]:
    for key, value in document.items():
        if key == "env" and isinstance(value, dict):
            for name, content in value.items():
                variable = format_scalar(content)
                yield build_variable(str(name), variable, (str(name), variable))
        elif key == "volumes" and isinstance(value, list):
            for item in value:
                yield Piece("mount", key, format_scalar(item), (format_scalar(item),))
        elif key not in ("defaults", "command"):
            yield _build_top_piece(key, format_scalar(value))


def _build_top_piece(key: str, text: str) -> Piece:
    words = (key, text)
    if key == "container":
        return Piece("image", "image", text, words)
    if key == "model":
        return Piece("model", "model", text, words)
    if key == "model_revision":
        return Piece("option", "--revision", text, words)
    if key == "runtime" and text == "vllm-ray":
        return Piece("option", "--distributed-executor-backend", "ray", words)
    reason = "a description" if key in DESCRIPTIONS else REASONS.get(key)
    return Piece("other", key, text, words, reason or "no key of a service says it")


def _list_unused(document: Mapping[str, object], used: set[str]) -> Iterator[Piece]:
    defaults = document.get("defaults")
    for key, value in (defaults if isinstance(defaults, dict) else {}).items():
        if str(key) not in used:
            text = format_scalar(value)
            yield Piece("other", str(key), text, (str(key), text), "the command does not use it")


def _list_options(document: Mapping[str, object], engine: str) -> Iterator[Piece]:
    """Without a command sparkrun builds one of the defaults."""
    defaults = document.get("defaults")
    for key, value in (defaults if isinstance(defaults, dict) else {}).items():
        name, text = str(key), format_scalar(value)
        words = (name, text)
        if engine == "trtllm":
            option = TRTLLM_NAMES.get(name, f"--{name}")
        else:
            option = OPTION_NAMES.get(name, f"--{name.replace('_', '-')}")
        if value is False or value is None:
            yield Piece("other", name, text, words, "off, as it is without it")
        elif value is True:
            yield Piece("option", option, None, words)
        else:
            yield Piece("option", option, text, words)
