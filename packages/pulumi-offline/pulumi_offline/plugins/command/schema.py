"""The inputs of `command:remote:Command` in pulumi-command 1.2.1, as data.

Source: the schema that the official plugin of that version prints.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from pulumi_offline.plugins.command import PACKAGE, RESOURCE, VERSION

InputKind = Literal["string", "number", "integer", "boolean", "object", "strings", "list"]
LOGGING = ("stdout", "stderr", "stdoutAndStderr", "none")


@dataclass(frozen=True)
class CommandField:
    """One input; `fields` are those of an object."""

    name: str
    kind: InputKind = "string"
    required: bool = False
    secret: bool = False
    replaces: bool = False
    default: str | float | None = None
    choices: tuple[str, ...] = ()
    fields: tuple[CommandField, ...] = ()


ENDPOINT = (
    CommandField("host", required=True),
    CommandField("port", "number", default=22.0),
    CommandField("user", default="root"),
    CommandField("password", secret=True),
    CommandField("privateKey", secret=True),
    CommandField("privateKeyPassword", secret=True),
    CommandField("agentSocketPath"),
    CommandField("dialErrorLimit", "integer", default=10.0),
    CommandField("perDialTimeout", "integer", default=15.0),
    CommandField("hostKey"),
)
CONNECTION = (*ENDPOINT, CommandField("proxy", "object", fields=ENDPOINT))
INPUTS = (
    CommandField("triggers", "list", replaces=True),
    CommandField("create"),
    CommandField("update"),
    CommandField("delete"),
    CommandField("stdin"),
    CommandField("logging", choices=LOGGING),
    CommandField("connection", "object", required=True, secret=True, fields=CONNECTION),
    CommandField("environment", "strings"),
    CommandField("addPreviousOutputInEnv", "boolean"),
)
OUTPUTS = (CommandField("stdout", required=True), CommandField("stderr", required=True))
# The names that Pulumi's schema gives to the two objects and the choice.
TYPES = {
    "connection": "command:remote:Connection",
    "proxy": "command:remote:ProxyConnection",
    "logging": "command:remote:Logging",
}


def describe_field(field: CommandField) -> dict[str, object]:
    """One property in the form of Pulumi's package schema."""
    shapes: dict[InputKind, dict[str, object]] = {
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


def describe_fields(fields: tuple[CommandField, ...]) -> dict[str, object]:
    return {field.name: describe_field(field) for field in fields}


def list_required(fields: tuple[CommandField, ...]) -> list[str]:
    return [field.name for field in fields if field.required]


def describe_object(fields: tuple[CommandField, ...]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": describe_fields(fields),
        "required": list_required(fields),
    }


def render_schema() -> str:
    """The JSON that GetSchema answers."""
    logging = {"type": "string", "enum": [{"value": choice} for choice in LOGGING]}
    resource = {
        "description": "Runs a command on another machine over SSH (stand-in; docs/toolchain.md).",
        "properties": describe_fields((*INPUTS, *OUTPUTS)),
        "required": list_required((*INPUTS, *OUTPUTS)),
        "inputProperties": describe_fields(INPUTS),
        "requiredInputs": list_required(INPUTS),
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
                TYPES["connection"]: describe_object(CONNECTION),
                TYPES["proxy"]: describe_object(ENDPOINT),
                TYPES["logging"]: logging,
            },
            "resources": {RESOURCE: resource},
        }
    )
