"""Decides whether inputs are ones that this plugin knows, and completes them: defaults, names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pulumi_offline.plugins.common.values import Properties, Property, Unknown
from pulumi_offline.plugins.docker.fields import Field, Kind, Resource

DEFAULTS = "__defaults"
KINDS: dict[Kind, type] = {
    "string": str,
    "integer": float,
    "boolean": bool,
    "map": dict,
    "strings": list,
    "object": dict,
    "objects": list,
}
# The official plugin's names: the resource's, a hyphen and seven hexadecimal digits.
NAME_DIGITS = 7


@dataclass(frozen=True)
class Asker:
    """Who asks for a check: the resource's name and the engine's seed for random parts."""

    name: str
    seed: bytes


def check_resource(
    resource: Resource, news: Properties, olds: Properties, asker: Asker
) -> tuple[Properties, list[str]]:
    """Inputs with defaults, and what is wrong with them."""
    named, made_up = add_name(resource, news, olds, asker)
    complete = add_defaults(named, resource.root)
    if made_up:
        used: list[Property] = [*sorted([*list_default_names(complete), "name"])]
        complete[DEFAULTS] = used
    return complete, list(problems(resource, named, asker.name))


def add_name(
    resource: Resource, news: Properties, olds: Properties, asker: Asker
) -> tuple[Properties, bool]:
    """A name for what has none: its old one, else a new one; and whether it was made up."""
    if "name" in news or not resource.is_autonamed:
        return news, False
    digits = hashlib.sha256(asker.seed + asker.name.encode()).hexdigest()[:NAME_DIGITS]
    return {**news, "name": olds.get("name", f"{asker.name}-{digits}")}, True


def list_default_names(properties: Properties) -> list[str]:
    """The inputs of an object that the program left to their defaults."""
    listed = properties.get(DEFAULTS)
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def add_defaults(inputs: Properties, field: Field) -> Properties:
    """An object with its defaults, and with the list of those that were used."""
    known = field.by_name
    used = {
        inner.name: to_property(inner.default)
        for inner in field.fields
        if inner.default is not None and inner.name not in inputs
    }
    complete = {key: complete_value(item, known.get(key)) for key, item in inputs.items()}
    listed: list[Property] = [*sorted(used)]
    return {**complete, **used, DEFAULTS: listed}


def complete_value(value: Property, field: Field | None) -> Property:
    match value:
        case dict() if field and field.kind == "object":
            return add_defaults(value, field)
        case list() if field and field.kind == "objects":
            return [add_defaults(item, field) if isinstance(item, dict) else item for item in value]
        case _:
            return value


def to_property(value: str | int | bool) -> Property:
    """Numbers are floats on the wire."""
    return float(value) if type(value) is int else value


def problems(resource: Resource, inputs: Properties, name: str) -> Iterator[str]:
    """Whole sentences, each with the place that it is about."""
    for path, reason in list_object_problems(inputs, resource.root, ""):
        yield f"{reason}. Examine values at '{name}.{path}'."
    present = [entry for entry in resource.one_of if entry in inputs]
    if resource.one_of and len(present) != 1:
        wanted = " and ".join(resource.one_of)
        yield f"exactly one of {wanted} must be given. Examine values at '{name}'."


def list_object_problems(
    inputs: Properties, field: Field, prefix: str
) -> Iterator[tuple[str, str]]:
    """Pairs of path and reason, for everything that is wrong below prefix."""
    known = field.by_name
    if len([name for name in field.at_most_one if name in inputs]) > 1:
        yield prefix.rstrip("."), f"Conflicting arguments: at most one of {field.at_most_one}"
    for inner in field.fields:
        if inner.required and inner.name not in inputs:
            path = prefix + inner.name
            yield path, f'Missing required argument. The argument "{path}" is required'
    for key, item in inputs.items():
        document = known.get(key)
        if document is None or document.outputs_only:
            yield prefix + key, f"the stand-in does not know '{prefix + key}'"
        else:
            yield from list_value_problems(item, document, prefix + key)


def list_value_problems(value: Property, field: Field, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Unknown):
        return
    if not isinstance(value, KINDS[field.kind]):
        yield path, f"'{path}' must be a {field.kind}, not a {type(value).__name__}"
        return
    match value:
        case dict() if field.kind == "object":
            yield from list_object_problems(value, field, f"{path}.")
        case dict():
            yield from list_text_problems(list(value.items()), path)
        case list():
            yield from list_problems(value, field, path)
        case str() | float():
            yield from judge_value(value, field, path)


def list_problems(value: list[Property], field: Field, path: str) -> Iterator[tuple[str, str]]:
    if field.kind == "strings":
        yield from list_text_problems(list(enumerate(value)), path)
        return
    element = Field(field.name, "object", fields=field.fields)
    for index, item in enumerate(value):
        yield from list_value_problems(item, element, f"{path}[{index}]")


def list_text_problems(
    items: Sequence[tuple[str | int, Property]], path: str
) -> Iterator[tuple[str, str]]:
    for key, item in items:
        if not isinstance(item, str | Unknown):
            yield path, f"'{path}.{key}' must be a string, not a {type(item).__name__}"


def judge_value(value: str | float, field: Field, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, float) and value != int(value):
        yield path, f"'{path}' must be an integer, not {value}"
    elif field.judge and (reason := field.judge(value if isinstance(value, str) else int(value))):
        yield path, reason
