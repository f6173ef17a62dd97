"""Checked inputs as plain Python: numbers that are integers, no marks, no bookkeeping."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.common.values import Properties, Property, Secret
from pulumi_offline.plugins.docker.check import DEFAULTS
from pulumi_offline.plugins.docker.fields import Resource

# What the official plugin keeps for itself beside the properties.
OWN_KEYS = frozenset({DEFAULTS, "__meta", "__pulumi_raw_state_delta"})


def to_plain(value: Property) -> Any:  # noqa: ANN401 (as JSON: what it is follows from the schema)
    match value:
        case Secret(element):
            return to_plain(element)
        case bool():
            return value
        case float():
            return int(value)
        case dict():
            return {key: to_plain(item) for key, item in value.items() if key not in OWN_KEYS}
        case list():
            return [to_plain(item) for item in value]
        case _:
            return value


def to_wire(value: Any) -> Property:  # noqa: ANN401 (as JSON)
    """Plain values as properties: numbers are floats, what is None is left out."""
    match value:
        case bool() | str():
            return value
        case int():
            return float(value)
        case dict():
            return {key: to_wire(item) for key, item in value.items() if item is not None}
        case list() | tuple():
            return [to_wire(item) for item in value]
        case _:
            return value  # type: ignore[no-any-return]


def strip_marks(value: Property) -> Property:
    """Properties without the marks of secrets and the bookkeeping of defaults."""
    match value:
        case Secret(element):
            return strip_marks(element)
        case dict():
            return {key: strip_marks(item) for key, item in value.items() if key not in OWN_KEYS}
        case list():
            return [strip_marks(item) for item in value]
        case _:
            return value


def mark_secrets(resource: Resource, properties: Properties) -> Properties:
    """Properties in which those that the schema calls secret are marked."""
    secret = {field.name for field in resource.fields if field.secret}
    return {
        key: Secret(item) if key in secret and not isinstance(item, Secret) else item
        for key, item in properties.items()
    }
