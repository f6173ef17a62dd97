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


def package_schema() -> str:
    resources = RESOURCES.values()
    types = {token: shape for one in resources for token, shape in object_types(one)}
    return json.dumps(
        {
            "name": PACKAGE,
            "displayName": "Docker (stand-in)",
            "version": VERSION,
            "description": "A stand-in for pulumi-docker that knows what a launch needs.",
            "config": {},
            "provider": {"inputProperties": provider_inputs()},
            "types": types,
            "resources": {one.token: resource_shape(one) for one in resources},
        }
    )


def provider_inputs() -> Shape:
    return {
        "host": TEXTS,
        "sshOpts": {"type": "array", "items": TEXTS},
        "registryAuth": {"type": "array", "items": {"$ref": "pulumi.json#/Any"}},
    }


def resource_shape(resource: Resource) -> Shape:
    inputs = [field for field in resource.fields if not field.outputs_only]
    needed = [field.name for field in inputs if field.required]
    return {
        "description": "See docs/toolchain.md.",
        "properties": shapes(resource.token, resource.fields),
        "required": needed,
        "inputProperties": shapes(resource.token, tuple(inputs)),
        "requiredInputs": [name for name in needed if name != "name" or not resource.is_autonamed],
    }


def shapes(prefix: str, fields: tuple[Field, ...]) -> Shape:
    return {field.name: shape(prefix, field) for field in fields}


def shape(prefix: str, field: Field) -> Shape:
    inner = {"$ref": f"#/types/{type_token(prefix, field)}"}
    by_kind: dict[str, Shape] = {
        "map": {"type": "object", "additionalProperties": TEXTS},
        "strings": {"type": "array", "items": TEXTS},
        "object": inner,
        "objects": {"type": "array", "items": inner},
    }
    secret = {"secret": True} if field.secret else {}
    return {**by_kind.get(field.kind, {"type": field.kind}), **secret}


def type_token(prefix: str, field: Field) -> str:
    """A name that is made of the names on the way: docker:index/ContainerMount:ContainerMount."""
    name = prefix.rpartition(":")[2] + field.name[0].upper() + field.name[1:]
    return f"{PACKAGE}:index/{name}:{name}"


def object_types(resource: Resource) -> Iterator[tuple[str, Shape]]:
    yield from inner_types(resource.token, resource.fields)


def inner_types(prefix: str, fields: tuple[Field, ...]) -> Iterator[tuple[str, Shape]]:
    for field in fields:
        if field.fields:
            token = type_token(prefix, field)
            required = [inner.name for inner in field.fields if inner.required]
            properties = shapes(token, field.fields)
            yield token, {"type": "object", "properties": properties, "required": required}
            yield from inner_types(token, field.fields)
