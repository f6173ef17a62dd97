"""What a property is: its kind, its default, and what a change of it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# `strings` is a list of texts, `map` maps texts to texts, `objects` is a list of `object`.
FieldKind = Literal["string", "integer", "boolean", "map", "strings", "object", "objects"]
# A sentence about what is wrong with a value, or nothing.
Validator = Callable[[str | int], str | None]

ZEROS: dict[FieldKind, object] = {
    "string": "",
    "integer": 0,
    "boolean": False,
    "map": {},
    "strings": [],
    "object": {},
    "objects": [],
}


@dataclass(frozen=True)
class DockerField:
    """One property, in the terms of the provider that the official plugin is made of.

    A `computed` property that the program leaves out keeps what the daemon made of it; any other
    that is left out goes back to nothing. `replaces` says that a change makes a new resource: of a
    list of objects it is about their number, and each field inside says so for itself. The order
    of an `unordered` list means nothing. `outputs_only` is never an input. `keeps_when_empty`
    takes the empty text for "as it is".
    """

    name: str
    kind: FieldKind = "string"
    required: bool = False
    default: str | int | bool | None = None
    computed: bool = False
    replaces: bool = False
    unordered: bool = False
    outputs_only: bool = False
    keeps_when_empty: bool = False
    secret: bool = False
    validate: Validator | None = None
    fields: tuple[DockerField, ...] = ()

    @property
    def zero(self) -> object:
        """What stands for its absence."""
        return ZEROS[self.kind]

    @property
    def by_name(self) -> dict[str, DockerField]:
        return {field.name: field for field in self.fields}


@dataclass(frozen=True)
class ResourceType:
    """A resource type and its properties. Every resource has a name that the program gives it."""

    token: str
    fields: tuple[DockerField, ...]

    @property
    def root(self) -> DockerField:
        return DockerField("", "object", fields=self.fields)
