"""What a property is: its kind, its default, and what a change of it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# `strings` is a list of texts, `map` maps texts to texts, `objects` is a list of `object`.
Kind = Literal["string", "integer", "boolean", "map", "strings", "object", "objects"]
# A sentence about what is wrong with a value, or nothing.
Judge = Callable[[str | int], str | None]

ZEROS: dict[Kind, object] = {
    "string": "",
    "integer": 0,
    "boolean": False,
    "map": {},
    "strings": [],
    "object": {},
    "objects": [],
}


@dataclass(frozen=True)
class PropertyField:
    """One property, in the terms of the provider that the official plugin is made of.

    A `computed` property that the program leaves out keeps what the daemon made of it; any other
    that is left out goes back to nothing. `replaces` says that a change makes a new resource: of a
    list of objects it is about their number, and each field inside says so for itself. The order
    of an `unordered` list means nothing. `outputs_only` is never an input. `keeps_when_empty`
    takes the empty text for "as it is". Of `at_most_one` of an object's properties one is given.
    """

    name: str
    kind: Kind = "string"
    required: bool = False
    default: str | int | bool | None = None
    computed: bool = False
    replaces: bool = False
    unordered: bool = False
    outputs_only: bool = False
    keeps_when_empty: bool = False
    secret: bool = False
    judge: Judge | None = None
    at_most_one: tuple[str, ...] = ()
    fields: tuple[PropertyField, ...] = ()

    @property
    def zero(self) -> object:
        """What stands for its absence."""
        return ZEROS[self.kind]

    @property
    def by_name(self) -> dict[str, PropertyField]:
        return {field.name: field for field in self.fields}


@dataclass(frozen=True)
class Resource:
    """A resource type and its properties.

    `one_of` names properties of which exactly one is given; `is_autonamed` says that a name is
    made up where none is given, `deletes_first` that a replacement cannot stand beside what it
    replaces.
    """

    token: str
    fields: tuple[PropertyField, ...]
    is_autonamed: bool = True
    deletes_first: bool = False
    one_of: tuple[str, ...] = ()

    @property
    def root(self) -> PropertyField:
        return PropertyField("", "object", fields=self.fields)
