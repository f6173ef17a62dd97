"""The JSON Schema of the whole stack file: `python -m sparkform.config.json_schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sparkform.config.declaration import Declaration
from sparkform.config.secret_keys import (
    ENCRYPTED_KEY,
    SECRET_KEYS,
    SECRET_MAPPINGS,
    format_set_secret,
)

SCHEMA_FILE = Path(__file__).with_name("schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "#/$defs/"
BLOCKS = {
    "cluster": "The machines and how they are cabled.",
    "services": "The served models by service name; empty for the rack only.",
    "gateway": "One address for all services; without it each answers at its own.",
    "monitoring": "Metrics, alerts and dashboards; without it nothing is monitored.",
}


class StackFileGenerator(GenerateJsonSchema):
    """pydantic's generator, for values as people write them in YAML."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A key may be left out, but one without a value is refused."""
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A key that its pattern does not match is refused."""
        generated = super().dict_schema(schema)
        if "patternProperties" in generated:
            generated["additionalProperties"] = False
        return generated

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """None stands for an absent key and is no value to offer."""
        generated = super().default_schema(schema)
        if generated.get("default", True) is None:
            del generated["default"]
        return generated


def build_schema() -> JsonSchemaValue:
    """The schema of a Pulumi stack file, with the keys of other programs left to them."""
    declaration = Declaration.model_json_schema(schema_generator=StackFileGenerator)
    definitions = declaration.pop("$defs")
    for definition in definitions.values():
        _describe_absence(definition, definitions)
    blocks = declaration["properties"]
    return {
        "$schema": DIALECT,
        "title": "Stack file of sparkform: Pulumi.<stack>.yaml",
        "type": "object",
        "required": ["config"],
        "properties": {"config": _build_config_schema(blocks)},
        "$defs": definitions,
    }


def _build_config_schema(blocks: JsonSchemaValue) -> JsonSchemaValue:
    secret = {
        "type": "object",
        "required": [ENCRYPTED_KEY],
        "properties": {ENCRYPTED_KEY: {"type": "string"}},
        "additionalProperties": False,
    }
    declared = {
        f"sparkform:{name}": {**blocks[name], "description": text} for name, text in BLOCKS.items()
    }
    encrypted = {
        f"sparkform:{key}": {
            **(_map_names(secret) if key in SECRET_MAPPINGS else secret),
            "description": _describe_secret(key, use),
        }
        for key, use in SECRET_KEYS.items()
    }
    properties = {**declared, **encrypted}
    known = "|".join(key.removeprefix("sparkform:") for key in properties)
    return {
        "type": "object",
        "required": ["sparkform:cluster"],
        "properties": properties,
        "patternProperties": {f"^sparkform:(?!({known})$)": False},
    }


def _map_names(secret: JsonSchemaValue) -> JsonSchemaValue:
    """One secret, or several by their names."""
    return {"anyOf": [secret, {"type": "object", "additionalProperties": secret}]}


def _describe_secret(key: str, use: str) -> str:
    return f"{use[0].upper()}{use[1:]}. Set with `{format_set_secret(key)}`."


def _describe_absence(definition: JsonSchemaValue, definitions: JsonSchemaValue) -> None:
    """What holds when a key is left out goes into its description, which editors show."""
    for field in definition.get("properties", {}).values():
        field.pop("title", None)
        absent = field.pop("absent", None)
        if absent is not None:
            # pydantic leaves a description out that the block's own repeats.
            block = definitions.get(field.get("$ref", "").removeprefix(REFERENCE), {})
            description = field.get("description", block.get("description"))
            field["description"] = f"{description} When absent: {absent}."


def render_schema() -> str:
    """The committed text of the schema."""
    return json.dumps(build_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_schema())
