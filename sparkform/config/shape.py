"""What one value may look like: an object that reads it, refuses it in words and documents it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

SHOWN_CHARACTERS = 60
LARGEST_SHOWN_INTEGER = 10**16


class Refused(Exception):
    """A reader's verdict on one value: what is wrong with it, in words that follow its path."""


Reader = Callable[[object], object]


@dataclass(frozen=True)
class Shape:
    """One kind of value. `read` returns the clean value or raises Refused.

    `allowed` completes "allowed: ..." and is the type column of the reference; `because` gives the
    reason where the limit is not plain. A `hidden` value is never repeated in a message.
    """

    allowed: str
    read: Reader = field(compare=False)
    because: str | None = None
    hidden: bool = False

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def _validate(self, value: object) -> object:
        try:
            return self.read(value)
        except Refused as refusal:
            raise shape_error(str(refusal), self) from None


@dataclass(frozen=True)
class Choice:
    """One of the values of the Literal that it annotates."""

    because: str | None = None

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        shape = choice_shape(get_args(source), self.because)
        return core_schema.no_info_plain_validator_function(shape._validate)


def choice_shape(options: Sequence[object], because: str | None = None) -> Shape:
    """The shape of a closed list of values; 1.0 is read as 1, but true is not."""

    def read(value: object) -> object:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            for option in options:
                if option == value:
                    return option
        raise Refused("is not one of the known values")

    return Shape(", ".join(str(option) for option in options), read, because)


def shape_error(message: str, shape: Shape) -> PydanticCustomError:
    """A pydantic error that keeps our words in its context; its own message is a template."""
    return PydanticCustomError("shape", "refused", {"what": message, "shape": shape})


def format_value(value: object) -> str:
    """`value` as a message may show it: short, on one line, printable on any terminal."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    if isinstance(value, int) and not -LARGEST_SHOWN_INTEGER < value < LARGEST_SHOWN_INTEGER:
        return "a very large number"
    if not isinstance(value, str | int | float):
        return type(value).__name__
    return _format_scalar(value)


def _format_scalar(value: str | float) -> str:
    cut = value[:SHOWN_CHARACTERS] if isinstance(value, str) else value
    text = json.dumps(cut, ensure_ascii=not str(cut).isprintable())
    is_cut = isinstance(value, str) and len(value) > SHOWN_CHARACTERS
    return f"{text}... ({len(str(value))} characters)" if is_cut else text
