"""Compose files: every service of theirs that starts one of our engines.

docs.docker.com/reference/compose-file/services.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from sparkform.recipes.command_line import ScriptReading
from sparkform.recipes.docker_options import NO_KEY, SET_BY_US, build_variable
from sparkform.recipes.file_keys import format_scalar
from sparkform.recipes.recipe import Piece, Recipe
from sparkform.recipes.shell import fill_variables

OURS = frozenset(
    {
        *("container_name", "network_mode", "networks", "ipc", "shm_size", "ulimits", "runtime"),
        *("deploy", "devices", "cap_add", "privileged", "restart", "hostname", "logging", "gpus"),
        *("pull_policy", "stdin_open", "tty", "init", "labels", "security_opt", "healthcheck"),
    }
)


def is_compose(document: Mapping[str, object]) -> bool:
    services = document.get("services")
    return isinstance(services, dict) and all(isinstance(row, dict) for row in services.values())


def read_compose(document: Mapping[str, object], variables: Mapping[str, str]) -> list[Recipe]:
    """Services without one of our engines are recipes without an engine."""
    services = document.get("services")
    rows = services if isinstance(services, dict) else {}
    around = [
        Piece("other", key, None, (key,), "not part of a service")
        for key in document
        if key not in ("services", "version", "name")
    ]
    recipes = [_read_service(str(name), row, variables) for name, row in rows.items()]
    if recipes and around:
        first = recipes[0]
        recipes[0] = Recipe(first.name, first.engine, (*first.pieces, *around))
    return recipes


def _read_service(name: str, row: Mapping[str, object], variables: Mapping[str, str]) -> Recipe:
    reading = ScriptReading(variables=dict(variables))
    for key, value in row.items():
        reading.pieces += _read_field(key, value, variables)
    for piece in reading.pieces:
        if piece.kind == "variable" and piece.value is not None:
            reading.variables[piece.name] = piece.value
    image = next((piece.value or "" for piece in reading.pieces if piece.kind == "image"), "")
    entrypoint = shlex.join(split_command(row.get("entrypoint"), variables))
    reading.read_container_command(
        image, entrypoint or None, split_command(row.get("command"), variables)
    )
    return Recipe(name, reading.engine, reading.list_pieces())


def _read_field(key: str, value: object, variables: Mapping[str, str]) -> Iterator[Piece]:
    text = fill_variables(format_scalar(value), variables)
    if key == "image":
        yield Piece("image", "image", text, (key, text))
    elif key == "environment":
        yield from _list_variables(value, variables)
    elif key == "volumes":
        for item in value if isinstance(value, list) else [value]:
            mount = fill_variables(format_scalar(item), variables)
            yield Piece("mount", "volumes", mount, (mount,))
    elif key == "entrypoint":
        yield Piece("other", key, text, (key, text), "an image's own entrypoint is kept")
    elif key != "command":
        reason = SET_BY_US if key in OURS else NO_KEY
        if key == "ports":
            reason = "the API listens on the node's own address"
        yield Piece("other", key, text, (key, text), reason)


def _list_variables(value: object, variables: Mapping[str, str]) -> Iterator[Piece]:
    if isinstance(value, dict):
        pairs = [(str(name), content) for name, content in value.items()]
    else:
        rows = [str(row).partition("=") for row in (value if isinstance(value, list) else [])]
        pairs = [(name, content if equals else None) for name, equals, content in rows]
    for name, content in pairs:
        text = None if content is None else fill_variables(format_scalar(content), variables)
        yield build_variable(name, text, (name, text or ""))


def split_command(value: object, variables: Mapping[str, str]) -> list[str]:
    """A command as Compose takes it: a list of words, or one text."""
    if isinstance(value, list):
        words = [format_scalar(word) for word in value]
    elif isinstance(value, str):
        words = shlex.split(value, comments=True)
    else:
        return []
    return [fill_variables(word, variables).replace("$$", "$") for word in words]
