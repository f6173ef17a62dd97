"""What all blocks of the stack file share: frozen, camelCase, unknown keys refused."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A block of the stack file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        protected_namespaces=(),
        defer_build=True,
    )

    def to_plain(self) -> dict[str, Any]:
        """The block as plain data under its YAML keys, defaults written out, absent keys left out.

        Fit for a component's props; reading it gives an equal block, also with numbers as floats.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def get_fields_by_key(model: type[Section]) -> dict[str, FieldInfo]:
    """The fields of a block by the key that the stack file uses."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def find_section(annotation: object) -> type[Section] | None:
    """The block that a field holds, itself or as the items of a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        parts = parts[:1]
    return next((section for part in parts if (section := find_section(part)) is not None), None)
