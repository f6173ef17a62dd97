"""The inputs of `command:remote:Command` in pulumi-command 1.2.1, as data.

Source: the schema that the official plugin of that version prints.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from pulumi_offline.plugins.command import PACKAGE, RESOURCE, VERSION

Kind = Literal["string", "number", "integer", "boolean", "object", "strings", "list"]
LOGGING = ("stdout", "stderr", "stdoutAndStderr", "none")


@dataclass(frozen=True)
class Field:
    """One input; `fields` are those of an object."""

    name: str
    kind: Kind = "string"
    required: bool = False
    secret: bool = False
    replaces: bool = False
    default: str | float | None = None
    choices: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()


ENDPOINT = (
    Field("host", required=True),
    Field("port", "number", default=22.0),
    Field("user", default="root"),
    Field("password", secret=True),
    Field("privateKey", secret=True),
    Field("privateKeyPassword", secret=True),
    Field("agentSocketPath"),
    Field("dialErrorLimit", "integer", default=10.0),
    Field("perDialTimeout", "integer", default=15.0),
    Field("hostKey"),
)
CONNECTION = (*ENDPOINT, Field("proxy", "object", fields=ENDPOINT))
INPUTS = (
    Field("triggers", "list", replaces=True),
    Field("create"),
    Field("update"),
    Field("delete"),
    Field("stdin"),
    Field("logging", choices=LOGGING),
    Field("connection", "object", required=True, secret=True, fields=CONNECTION),
    Field("environment", "strings"),
    Field("addPreviousOutputInEnv", "boolean"),
)
OUTPUTS = (Field("stdout", required=True), Field("stderr", required=True))
# The names that Pulumi's schema gives to the two objects and the choice.
TYPES = {
    "connection": "command:remote:Connection",
    "proxy": "command:remote:ProxyConnection",
    "logging": "command:remote:Logging",
}


def build_shape(field: Field) -> dict[str, object]:
    """One property in the form of Pulumi's package schema."""
    shapes: dict[Kind, dict[str, object]] = {
        "strings": {"type": "object", "additionalProperties": {"type": "string"}},
        "list": {"type": "array", "items": {"$ref": "pulumi.json#/Any"}},
    }
    reference = TYPES.get(field.name)
    known = {"$ref": f"#/types/{reference}"} if reference else {"type": field.kind}
    marks = {
        "secret": field.secret,
        "replaceOnChanges": field.replaces,
        "default": field.default,
    }
    return {**shapes.get(field.kind, known), **{key: item for key, item in marks.items() if item}}


def build_shapes(fields: tuple[Field, ...]) -> dict[str, object]:
    return {field.name: build_shape(field) for field in fields}


def required(fields: tuple[Field, ...]) -> list[str]:
    return [field.name for field in fields if field.required]


def build_object_type(fields: tuple[Field, ...]) -> dict[str, object]:
    return {"type": "object", "properties": build_shapes(fields), "required": required(fields)}


def build_package_schema() -> str:
    """The JSON that GetSchema answers."""
    logging = {"type": "string", "enum": [{"value": choice} for choice in LOGGING]}
    resource = {
        "description": "Runs a command on another machine over SSH (stand-in; docs/toolchain.md).",
        "properties": build_shapes((*INPUTS, *OUTPUTS)),
        "required": required((*INPUTS, *OUTPUTS)),
        "inputProperties": build_shapes(INPUTS),
        "requiredInputs": required(INPUTS),
    }
    return json.dumps(
        {
            "name": PACKAGE,
            "displayName": "Command (stand-in)",
            "version": VERSION,
            "description": "A stand-in for pulumi-command that knows remote.Command only.",
            "config": {},
            "provider": {},
            "types": {
                TYPES["connection"]: build_object_type(CONNECTION),
                TYPES["proxy"]: build_object_type(ENDPOINT),
                TYPES["logging"]: logging,
            },
            "resources": {RESOURCE: resource},
        }
    )
