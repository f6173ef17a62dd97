"""Checked inputs as plain documents, and back: integers, no marks, no bookkeeping."""

from __future__ import annotations

from pulumi_offline.plugins.common.values import Properties, Property, Secret, Unknown
from pulumi_offline.plugins.docker.check import DEFAULTS
from pulumi_offline.plugins.docker.documents import Document, Json
from pulumi_offline.plugins.docker.fields import ResourceType

# What the official plugin keeps for itself beside the properties.
BOOKKEEPING = frozenset({DEFAULTS, "__meta", "__pulumi_raw_state_delta"})


def to_document(properties: Properties) -> Document:
    """Properties whose values are all known, as the Engine's documents have them."""
    return {key: to_json(item) for key, item in properties.items() if key not in BOOKKEEPING}


def to_json(value: Property) -> Json:
    match value:
        case Secret(element):
            return to_json(element)
        case Unknown():
            raise TypeError("a value that is not known yet cannot be sent")
        case bool():
            return value
        case float():
            return int(value)
        case dict():
            return to_document(value)
        case list():
            return [to_json(item) for item in value]
        case _:
            return value


def to_properties(document: Document) -> Properties:
    """A document as properties: numbers are floats, what is None is left out."""
    return {key: to_property(item) for key, item in document.items() if item is not None}


def to_property(value: Json) -> Property:
    match value:
        case bool() | str():
            return value
        case int():
            return float(value)
        case dict():
            return to_properties(value)
        case list():
            return [to_property(item) for item in value]
        case _:
            return value


def strip_marks(properties: Properties) -> Properties:
    """Properties without the marks of secrets and the bookkeeping of defaults."""
    return {key: strip_mark(item) for key, item in properties.items() if key not in BOOKKEEPING}


def strip_mark(value: Property) -> Property:
    match value:
        case Secret(element):
            return strip_mark(element)
        case dict():
            return strip_marks(value)
        case list():
            return [strip_mark(item) for item in value]
        case _:
            return value


def mark_secrets(resource_type: ResourceType, properties: Properties) -> Properties:
    """Properties in which those that the schema calls secret are marked."""
    secret = {field.name for field in resource_type.fields if field.secret}
    return {
        key: Secret(item) if key in secret and not isinstance(item, Secret) else item
        for key, item in properties.items()
    }
