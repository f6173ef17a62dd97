"""Reading a Pulumi stack file without Pulumi."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import yaml

from sparkform.config.declaration import Declaration
from sparkform.config.formatting import format_value
from sparkform.config.parse import parse_config
from sparkform.config.secret_keys import BLOCKS, SECRET_KEYS, describe_plain_secret, is_secure
from sparkform.config.stack_yaml import read_yaml
from sparkform.errors import InputError, Problem

LARGEST_BYTES = 256 * 1024
NAMESPACE = "sparkform:"
MODELINE = "# yaml-language-server: $schema=sparkform/config/schema.json"
"""The first line of a stack file in the project's folder, by which editors find its schema."""


def load_stack(path: str | Path) -> Declaration:
    """The declaration of a stack file, Pulumi.<stack>.yaml.

    Raises InputError with every problem: unreadable or no YAML (with the line), no `config:`,
    unknown sparkform keys, secrets in plain, and all that `parse_config` finds.
    """
    file = Path(path)
    config = _get_config(_read_document(file), file.name)
    problems = list(_check_top_level(config))
    try:
        declaration = parse_config(*(config.get(NAMESPACE + block) for block in BLOCKS))
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None
    if problems:
        raise InputError(problems)
    return declaration


def _read_document(file: Path) -> object:
    text = _read_text(file)
    try:
        return read_yaml(text)
    except yaml.YAMLError as error:
        _refuse(*_describe_yaml_error(error, file.name, text))


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not one of a file"
        _refuse(str(file), f"cannot be read: {reason}")
    if len(content) > LARGEST_BYTES:
        _refuse(file.name, f"is larger than {LARGEST_BYTES // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        _refuse(f"{file.name}:{line}", "is not UTF-8 text")


def _describe_yaml_error(error: yaml.YAMLError, name: str, text: str) -> tuple[str, str]:
    """Where and what; never a snippet of the file, which may hold a secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line = error.problem_mark.line + 1
        return f"{name}:{line}", f"is not a readable stack file: {error.problem}"
    line = text.count("\n", 0, getattr(error, "position", 0)) + 1
    return f"{name}:{line}", "contains a character that YAML does not allow"


def _get_config(document: object, name: str) -> dict[str, object]:
    if not isinstance(document, dict):
        _refuse(name, f"must be a mapping with the key config (got {format_value(document)})")
    config = document.get("config")
    if not isinstance(config, dict):
        _refuse(f"{name}: config", "must be a mapping with the key sparkform:cluster")
    return {str(key): value for key, value in config.items()}


def _check_top_level(config: dict[str, object]) -> Iterator[Problem]:
    """Problems of the keys `sparkform:...` themselves; those of other programs are not ours."""
    for key, value in config.items():
        name = key.removeprefix(NAMESPACE)
        if not key.startswith(NAMESPACE) or name in BLOCKS:
            continue
        if name not in SECRET_KEYS:
            yield _describe_unknown_key(key)
        elif not is_secure(value):
            yield describe_plain_secret(name)


def _describe_unknown_key(key: str) -> Problem:
    known = [NAMESPACE + name for name in (*BLOCKS, *SECRET_KEYS)]
    suggestions = get_close_matches(key, known, 1)
    return Problem(
        path=f"config.{format_value(key)}",
        message="is not a known key",
        allowed=None if suggestions else ", ".join(known),
        remedy=f"did you mean {suggestions[0]}?" if suggestions else None,
    )


def _refuse(path: str, message: str) -> NoReturn:
    raise InputError([Problem(path=path, message=message)])
