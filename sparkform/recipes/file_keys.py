"""TensorRT-LLM's engine file, as recipes write it: every key of it as a piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml

from sparkform.recipes.recipe import Piece

ENGINE_FILE_OPTIONS = ("--extra_llm_api_options", "--config")


def read_engine_file(option: Piece, text: str | None) -> list[Piece]:
    """The option itself, and the keys where the file's text is part of the recipe."""
    if text is None:
        reason = "a file that is not here: give its keys as keys of the service"
        return [Piece("other", option.name, option.value, option.words, reason)]
    written = Piece(
        "other", option.name, option.value, option.words, "sparkform writes the engine's file"
    )
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        reason = "the file's text is no YAML mapping"
        return [Piece("other", option.name, option.value, (*option.words, text), reason)]
    return [written, *_list_keys(document, ())]


def _list_keys(document: Mapping[object, object], parents: tuple[str, ...]) -> Iterator[Piece]:
    for key, value in document.items():
        names = (*parents, str(key))
        if isinstance(value, dict) and value:
            yield from _list_keys(value, names)
        else:
            yield Piece("file key", ".".join(names), format_scalar(value), (*names, str(value)))


def format_scalar(value: object) -> str:
    """
    >>> format_scalar(True), format_scalar(None), format_scalar(0.9)
    ('true', 'null', '0.9')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
