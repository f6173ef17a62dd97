"""The package schema that GetSchema answers, made from the supported properties."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pulumi_offline.plugins.docker import PACKAGE, VERSION
from pulumi_offline.plugins.docker.documents import Document
from pulumi_offline.plugins.docker.fields import DockerField, FieldKind, ResourceType
from pulumi_offline.plugins.docker.resource_types import RESOURCES

TEXT: Document = {"type": "string"}


def render_schema() -> str:
    resources = RESOURCES.values()
    types = {
        token: shape
        for resource in resources
        for token, shape in list_object_types(resource.token, resource.fields)
    }
    return json.dumps(
        {
            "name": PACKAGE,
            "displayName": "Docker (stand-in)",
            "version": VERSION,
            "description": "A stand-in for pulumi-docker with what a launch needs.",
            "config": {},
            "provider": {
                "inputProperties": {"host": TEXT, "sshOpts": {"type": "array", "items": TEXT}}
            },
            "types": types,
            "resources": {resource.token: describe_resource(resource) for resource in resources},
        }
    )


def describe_resource(resource: ResourceType) -> Document:
    inputs = tuple(field for field in resource.fields if not field.outputs_only)
    required = [field.name for field in inputs if field.required]
    return {
        "description": "See docs/toolchain.md.",
        "properties": describe_fields(resource.token, resource.fields),
        "required": [*required],
        "inputProperties": describe_fields(resource.token, inputs),
        "requiredInputs": [*required],
    }


def describe_fields(prefix: str, fields: tuple[DockerField, ...]) -> Document:
    return {field.name: describe_field(prefix, field) for field in fields}


def describe_field(prefix: str, field: DockerField) -> Document:
    inner: Document = {"$ref": f"#/types/{format_type_token(prefix, field)}"}
    by_kind: dict[FieldKind, Document] = {
        "map": {"type": "object", "additionalProperties": TEXT},
        "strings": {"type": "array", "items": TEXT},
        "object": inner,
        "objects": {"type": "array", "items": inner},
    }
    secret: Document = {"secret": True} if field.secret else {}
    return {**by_kind.get(field.kind, {"type": field.kind}), **secret}


def format_type_token(prefix: str, field: DockerField) -> str:
    """A name that is made of the names on the way: docker:index/ContainerMount:ContainerMount."""
    name = prefix.rpartition(":")[2] + field.name[0].upper() + field.name[1:]
    return f"{PACKAGE}:index/{name}:{name}"


def list_object_types(
    prefix: str, fields: tuple[DockerField, ...]
) -> Iterator[tuple[str, Document]]:
    for field in fields:
        if field.fields:
            token = format_type_token(prefix, field)
            properties = describe_fields(token, field.fields)
            required = [inner.name for inner in field.fields if inner.required]
            yield token, {"type": "object", "properties": properties, "required": [*required]}
            yield from list_object_types(token, field.fields)
