"""Property values as the engine sends them: plain JSON, plus marks for secrets and for unknowns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf import struct_pb2  # type: ignore[import-untyped]

# The marks of Pulumi's wire format (pulumi.runtime.rpc in the SDK holds the same constants).
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_TEXTS = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # a list
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
    }
)


@dataclass(frozen=True)
class Secret:
    """A value that must be encrypted wherever it is kept."""

    element: Property


@dataclass(frozen=True)
class Unknown:
    """A value that only the update itself will show."""

    secret: bool = False


Property: TypeAlias = (
    bool | float | str | list["Property"] | dict[str, "Property"] | Secret | Unknown | None
)
Properties: TypeAlias = dict[str, Property]


def read_struct(struct: struct_pb2.Struct) -> Properties:
    """A property map from the wire; entries that are null count as absent."""
    read = {key: read_value(item) for key, item in struct.fields.items()}
    return {key: item for key, item in read.items() if item is not None}


def read_value(value: struct_pb2.Value) -> Property:
    match value.WhichOneof("kind"):
        case "bool_value":
            return bool(value.bool_value)
        case "number_value":
            return float(value.number_value)
        case "string_value":
            return read_text(value.string_value)
        case "list_value":
            return [read_value(item) for item in value.list_value.values]
        case "struct_value":
            return read_object(read_struct(value.struct_value))
        case _:
            return None


def read_text(text: str) -> Property:
    return Unknown() if text in UNKNOWN_TEXTS else text


def read_object(items: Properties) -> Property:
    """An object, or what it wraps if it carries a mark."""
    if items.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
        return make_secret(items.get("value"))
    if items.get(SIGNATURE_KEY) == OUTPUT_SIGNATURE:
        value = items.get("value", Unknown())
        return make_secret(value) if items.get("secret") is True else value
    return items


def make_secret(value: Property) -> Property:
    """The value marked as a secret, once."""
    return value if isinstance(value, Secret) else Secret(value)


def write_struct(properties: Properties) -> struct_pb2.Struct:
    """A property map for the wire.

    Raises ValueError if a text is not valid Unicode.
    """
    return struct_pb2.Struct(fields={key: write_value(item) for key, item in properties.items()})


def write_value(value: Property) -> struct_pb2.Value:
    match value:
        case bool():
            return struct_pb2.Value(bool_value=value)
        case float() | int():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case list() | dict():
            return write_collection(value)
        case Secret() | Unknown():
            return write_value(encode_mark(value))
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)


def write_collection(value: list[Property] | dict[str, Property]) -> struct_pb2.Value:
    if isinstance(value, dict):
        return struct_pb2.Value(struct_value=write_struct(value))
    items = struct_pb2.ListValue(values=[write_value(item) for item in value])
    return struct_pb2.Value(list_value=items)


def encode_mark(value: Secret | Unknown) -> Property:
    """The form of a marked value on the wire."""
    if isinstance(value, Secret):
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value.element}
    if value.secret:
        return {SIGNATURE_KEY: OUTPUT_SIGNATURE, "secret": True}
    return UNKNOWN_TEXT


def reveal(value: Property) -> Property:
    """The value without its marks; an unknown stays one."""
    match value:
        case Secret(element):
            return reveal(element)
        case list():
            return [reveal(item) for item in value]
        case dict():
            return {key: reveal(item) for key, item in value.items()}
        case _:
            return value


def is_same(old: Property, new: Property) -> bool:
    """Whether two values are equal, marks included; True and 1.0 differ."""
    match old, new:
        case list(), list():
            return len(old) == len(new) and all(map(is_same, old, new))
        case dict(), dict():
            return old.keys() == new.keys() and all(is_same(old[key], new[key]) for key in old)
        case Secret(old_element), Secret(new_element):
            return is_same(old_element, new_element)
        case _:
            return type(old) is type(new) and old == new
