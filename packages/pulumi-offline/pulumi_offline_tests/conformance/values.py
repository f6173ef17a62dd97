"""Property values as they cross the wire, written and read as plain Python."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]

# Pulumi's wire format marks wrapped values by these constants (pulumi.runtime.rpc holds the same).
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWNS = {
    UNKNOWN,
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}


def mark_secret(value: Any) -> dict[str, Any]:
    """The wire form of a secret."""
    return {SIGNATURE: SECRET, "value": value}


def to_struct(properties: dict[str, Any]) -> struct_pb2.Struct:
    """A property map as the engine sends it."""
    return json_format.ParseDict(properties, struct_pb2.Struct())


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A property map as the plugin answered it, wrappers left as they came."""
    properties: dict[str, Any] = json_format.MessageToDict(struct)
    return properties


def is_unknown(value: Any) -> bool:
    """Whether the engine would take this for a value that is not known yet."""
    if isinstance(value, dict) and value.get(SIGNATURE) == OUTPUT:
        return "value" not in value or is_unknown(value["value"])
    if isinstance(value, dict) and value.get(SIGNATURE) == SECRET:
        return is_unknown(value["value"])
    return isinstance(value, str) and value in UNKNOWNS


def is_secret(value: Any) -> bool:
    """Whether the engine would encrypt this value in the state."""
    if not isinstance(value, dict):
        return False
    marked_output = value.get(SIGNATURE) == OUTPUT and value.get("secret") is True
    return value.get(SIGNATURE) == SECRET or marked_output


def reveal(value: Any) -> Any:
    """The value with every wrapper taken off."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) in (SECRET, OUTPUT):
            return reveal(value.get("value", UNKNOWN))
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value
