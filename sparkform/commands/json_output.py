"""The JSON that commands print: dataclasses with typed fields, every key in camelCase."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Protocol, runtime_checkable

from pydantic.alias_generators import to_camel


@runtime_checkable
class JsonDocument(Protocol):
    """Something that knows its own JSON form."""

    def to_json(self) -> Mapping[str, object]: ...


def to_json(value: object) -> object:
    """Plain data. Fields become camelCase; the keys of mappings are names and stay as they are."""
    if isinstance(value, JsonDocument):
        return value.to_json()
    if is_dataclass(value):
        return {
            to_camel(field.name): to_json(getattr(value, field.name)) for field in fields(value)
        }
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def print_json(document: object) -> None:
    print(json.dumps(to_json(document), indent=1))
