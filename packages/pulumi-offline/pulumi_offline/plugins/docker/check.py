"""Decides whether inputs are ones that this plugin supports, and adds their defaults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pulumi_offline.plugins.common.values import Properties, Property, Unknown
from pulumi_offline.plugins.docker.fields import DockerField, FieldKind, ResourceType

DEFAULTS = "__defaults"
PYTHON_TYPES: dict[FieldKind, type] = {
    "string": str,
    "integer": float,
    "boolean": bool,
    "map": dict,
    "strings": list,
    "object": dict,
    "objects": list,
}
KIND_NAMES: dict[FieldKind, str] = {
    "string": "a string",
    "integer": "an integer",
    "boolean": "a boolean",
    "map": "a map of strings",
    "strings": "a list of strings",
    "object": "an object",
    "objects": "a list of objects",
}
VALUE_NAMES: dict[type, str] = {
    str: "a string",
    float: "a number",
    bool: "a boolean",
    dict: "an object",
    list: "a list",
}


def check_inputs(
    resource_type: ResourceType, inputs: Properties, name: str
) -> tuple[Properties, list[str]]:
    """Inputs with defaults, and what is wrong with those of the resource `name`."""
    return add_defaults(inputs, resource_type.root), list(
        find_problems(resource_type, inputs, name)
    )


def list_defaulted(properties: Properties) -> list[str]:
    """The inputs of an object that the program left to their defaults."""
    listed = properties.get(DEFAULTS)
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def add_defaults(inputs: Properties, field: DockerField) -> Properties:
    """An object with its defaults, and with the list of those that were used."""
    known = field.by_name
    used = {
        inner.name: to_property(inner.default)
        for inner in field.fields
        if inner.default is not None and inner.name not in inputs
    }
    complete = {key: complete_value(item, known.get(key)) for key, item in inputs.items()}
    return {**complete, **used, DEFAULTS: [*sorted(used)]}


def complete_value(value: Property, field: DockerField | None) -> Property:
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


def find_problems(resource_type: ResourceType, inputs: Properties, name: str) -> Iterator[str]:
    """Whole sentences, each with the place that it is about."""
    for path, reason in find_object_problems(inputs, resource_type.root, ""):
        yield f"{reason}. Examine values at '{name}.{path}'."


def find_object_problems(
    inputs: Properties, field: DockerField, prefix: str
) -> Iterator[tuple[str, str]]:
    """Pairs of path and reason, for everything that is wrong below prefix."""
    known = field.by_name
    for inner in field.fields:
        if inner.required and inner.name not in inputs:
            path = prefix + inner.name
            yield path, f'Missing required argument. The argument "{path}" is required'
    for key, item in inputs.items():
        inner_field = known.get(key)
        if inner_field is None or inner_field.outputs_only:
            yield prefix + key, f"the stand-in does not support '{prefix + key}'"
        else:
            yield from find_value_problems(item, inner_field, prefix + key)


def find_value_problems(
    value: Property, field: DockerField, path: str
) -> Iterator[tuple[str, str]]:
    if isinstance(value, Unknown):
        return
    if not isinstance(value, PYTHON_TYPES[field.kind]):
        yield path, f"'{path}' must be {KIND_NAMES[field.kind]}, not {describe_type(value)}"
        return
    match value:
        case dict() if field.kind == "object":
            yield from find_object_problems(value, field, f"{path}.")
        case dict():
            yield from find_text_problems(list(value.items()), path)
        case list():
            yield from find_list_problems(value, field, path)
        case str() | float():
            yield from find_scalar_problems(value, field, path)


def find_list_problems(
    value: list[Property], field: DockerField, path: str
) -> Iterator[tuple[str, str]]:
    if field.kind == "strings":
        yield from find_text_problems(list(enumerate(value)), path)
        return
    element = DockerField(field.name, "object", fields=field.fields)
    for index, item in enumerate(value):
        yield from find_value_problems(item, element, f"{path}[{index}]")


def find_text_problems(
    items: Sequence[tuple[str | int, Property]], path: str
) -> Iterator[tuple[str, str]]:
    for key, item in items:
        if not isinstance(item, str | Unknown):
            yield path, f"'{path}.{key}' must be a string, not {describe_type(item)}"


def find_scalar_problems(
    value: str | float, field: DockerField, path: str
) -> Iterator[tuple[str, str]]:
    if isinstance(value, float) and value != int(value):
        yield path, f"'{path}' must be an integer, not {value}"
    elif field.validate:
        reason = field.validate(value if isinstance(value, str) else int(value))
        if reason:
            yield path, reason


def describe_type(value: Property) -> str:
    return VALUE_NAMES.get(type(value), "null")
