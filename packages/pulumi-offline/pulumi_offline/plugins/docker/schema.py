"""The package schema that GetSchema answers, made from the known properties."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pulumi_offline.plugins.docker import PACKAGE, VERSION
from pulumi_offline.plugins.docker.fields import Field, Resource
from pulumi_offline.plugins.docker.other_fields import RESOURCES

TEXTS = {"type": "string"}
Shape = dict[str, Any]


def build_package_schema() -> str:
    resources = RESOURCES.values()
    types = {token: shape for entry in resources for token, shape in list_object_types(entry)}
    return json.dumps(
        {
            "name": PACKAGE,
            "displayName": "Docker (stand-in)",
            "version": VERSION,
            "description": "A stand-in for pulumi-docker that knows what a launch needs.",
            "config": {},
            "provider": {"inputProperties": build_provider_inputs()},
            "types": types,
            "resources": {entry.token: build_resource_shape(entry) for entry in resources},
        }
    )


def build_provider_inputs() -> Shape:
    return {
        "host": TEXTS,
        "sshOpts": {"type": "array", "items": TEXTS},
        "registryAuth": {"type": "array", "items": {"$ref": "pulumi.json#/Any"}},
    }


def build_resource_shape(resource: Resource) -> Shape:
    inputs = [field for field in resource.fields if not field.outputs_only]
    needed = [field.name for field in inputs if field.required]
    return {
        "description": "See docs/toolchain.md.",
        "properties": build_shapes(resource.token, resource.fields),
        "required": needed,
        "inputProperties": build_shapes(resource.token, tuple(inputs)),
        "requiredInputs": [name for name in needed if name != "name" or not resource.is_autonamed],
    }


def build_shapes(prefix: str, fields: tuple[Field, ...]) -> Shape:
    return {field.name: build_shape(prefix, field) for field in fields}


def build_shape(prefix: str, field: Field) -> Shape:
    inner = {"$ref": f"#/types/{build_type_token(prefix, field)}"}
    by_kind: dict[str, Shape] = {
        "map": {"type": "object", "additionalProperties": TEXTS},
        "strings": {"type": "array", "items": TEXTS},
        "object": inner,
        "objects": {"type": "array", "items": inner},
    }
    secret = {"secret": True} if field.secret else {}
    return {**by_kind.get(field.kind, {"type": field.kind}), **secret}


def build_type_token(prefix: str, field: Field) -> str:
    """A name that is made of the names on the way: docker:index/ContainerMount:ContainerMount."""
    name = prefix.rpartition(":")[2] + field.name[0].upper() + field.name[1:]
    return f"{PACKAGE}:index/{name}:{name}"


def list_object_types(resource: Resource) -> Iterator[tuple[str, Shape]]:
    yield from list_inner_types(resource.token, resource.fields)


def list_inner_types(prefix: str, fields: tuple[Field, ...]) -> Iterator[tuple[str, Shape]]:
    for field in fields:
        if field.fields:
            token = build_type_token(prefix, field)
            required = [inner.name for inner in field.fields if inner.required]
            properties = build_shapes(token, field.fields)
            yield token, {"type": "object", "properties": properties, "required": required}
            yield from list_inner_types(token, field.fields)
