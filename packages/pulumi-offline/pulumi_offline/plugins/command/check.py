"""Decides whether inputs are ones that this plugin knows, and completes them: defaults, secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pulumi_offline.plugins.command.schema import INPUTS, CommandField, InputKind
from pulumi_offline.plugins.common.values import (
    Properties,
    Property,
    Secret,
    Unknown,
    make_secret,
    reveal,
)

KINDS: dict[InputKind, type] = {
    "string": str,
    "number": float,
    "integer": float,
    "boolean": bool,
    "object": dict,
    "strings": dict,
    "list": list,
}
# What stands for an unknown secret: the official plugin decodes one to the empty value of its kind.
EMPTY: dict[InputKind, Property] = {
    "string": "",
    "number": 0.0,
    "integer": 0.0,
    "boolean": False,
    "strings": {},
    "list": [],
}


@dataclass(frozen=True)
class InputFailure:
    """Why an input is refused; `property` is the name of the top-level input."""

    property: str
    reason: str


def check_inputs(properties: Properties) -> tuple[Properties, list[InputFailure]]:
    """Inputs with defaults and secret marks, or as they came but marked, and what is wrong."""
    settled = settle_object(properties, INPUTS)
    failures = list(list_failures(settled))
    complete = settled if failures else add_defaults(settled, INPUTS)
    return mark_secrets(complete, INPUTS), failures


def settle_inputs(properties: Properties) -> Properties:
    """Inputs in which no secret is unknown (see EMPTY)."""
    return settle_object(properties, INPUTS)


def settle_object(properties: Properties, fields: tuple[CommandField, ...]) -> Properties:
    by_name = {field.name: field for field in fields}
    return {
        key: settle(item, by_name[key]) if key in by_name else item
        for key, item in properties.items()
    }


def settle(value: Property, field: CommandField) -> Property:
    match value:
        case Secret(Unknown()) if field.kind == "object":
            return Secret({inner.name: "" for inner in field.fields if inner.required})
        case Secret(Unknown()):
            return Secret(EMPTY[field.kind])
        case Secret(dict() as inside) if field.kind == "object":
            return Secret(settle_object(inside, field.fields))
        case dict() if field.kind == "object":
            return settle_object(value, field.fields)
        case _:
            return value


def list_failures(properties: Properties) -> Iterator[InputFailure]:
    for path, reason in find_object_problems(properties, INPUTS, ""):
        yield InputFailure(path.partition(".")[0], reason)


def find_object_problems(
    properties: Properties, fields: tuple[CommandField, ...], prefix: str
) -> Iterator[tuple[str, str]]:
    """Pairs of path and reason, for everything that is wrong below prefix."""
    by_name = {field.name: field for field in fields}
    for field in fields:
        if field.required and field.name not in properties:
            path = prefix + field.name
            yield path, f"Missing required field '{path}'"
    for key, item in properties.items():
        if key in by_name:
            yield from find_value_problems(reveal(item), by_name[key], prefix + key)
        else:
            path = prefix + key
            yield path, f"the stand-in does not support '{path}'"


def find_value_problems(
    value: Property, field: CommandField, path: str
) -> Iterator[tuple[str, str]]:
    if isinstance(value, Unknown):
        return
    if not isinstance(value, KINDS[field.kind]):
        yield path, f"Field '{path}' must be a {field.kind}; got a {type(value).__name__} instead"
    elif field.choices and value not in field.choices:
        yield (
            path,
            f"the stand-in does not support the {path} '{value}'; it supports {field.choices}",
        )
    elif isinstance(value, dict) and field.kind == "strings":
        for key, item in value.items():
            yield from find_value_problems(item, CommandField(key), f"{path}.{key}")
    elif isinstance(value, dict):
        yield from find_object_problems(value, field.fields, f"{path}.")


def add_defaults(properties: Properties, fields: tuple[CommandField, ...]) -> Properties:
    """Absent inputs get their defaults, inside objects that are present too."""
    by_name = {field.name: field for field in fields}
    complete_inputs = {key: complete(item, by_name[key]) for key, item in properties.items()}
    defaults: Properties = {
        field.name: field.default
        for field in fields
        if field.default is not None and field.name not in complete_inputs
    }
    return {**complete_inputs, **defaults}


def complete(value: Property, field: CommandField) -> Property:
    match value:
        case Secret(element):
            return Secret(complete(element, field))
        case dict() if field.kind == "object":
            return add_defaults(value, field.fields)
        case float() if field.kind == "integer":
            return float(int(value))
        case _:
            return value


def mark_secrets(properties: Properties, fields: tuple[CommandField, ...]) -> Properties:
    """Inputs that the schema calls secret are marked so, at every depth."""
    by_name = {field.name: field for field in fields}
    return {
        key: mark(item, by_name[key]) if key in by_name else item
        for key, item in properties.items()
    }


def mark(value: Property, field: CommandField) -> Property:
    match value:
        case Secret(element):
            return make_secret(mark(element, field))
        case Unknown():
            return Unknown(secret=value.secret or field.secret)
        case dict() if field.kind == "object":
            inside: Property = mark_secrets(value, field.fields)
            return make_secret(inside) if field.secret else inside
        case _:
            return make_secret(value) if field.secret else value
