"""What the models say of a value at a location: its type, the words for it, the block around it."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import Tag
from pydantic.fields import FieldInfo

from sparkform.config.formatting import Location
from sparkform.config.section import Section, find_section, get_fields_by_key
from sparkform.config.values import Words

KEY_MARK = "[key]"
"""What pydantic puts behind a mapping's key where the key itself is wrong."""


@dataclass(frozen=True)
class ValueType:
    """A type of the models with what is annotated to it."""

    annotation: object
    metadata: tuple[object, ...] = ()

    @property
    def words(self) -> Words:
        return next((mark for mark in self.metadata if isinstance(mark, Words)), Words())

    @property
    def options(self) -> tuple[object, ...]:
        """The values of a closed choice; none if it is no such choice."""
        return get_args(self.annotation) if get_origin(self.annotation) is Literal else ()


@dataclass(frozen=True)
class ErrorSite:
    """Where an error of pydantic's lies in the stack file.

    `value_type` is that of the value, or of the key where `is_key`; None for an unknown key.
    """

    location: Location
    section: type[Section]
    value_type: ValueType | None
    is_key: bool


def build_value_type(annotation: object) -> ValueType:
    """The type that an annotation of the models stands for."""
    return _unwrap(ValueType(annotation))


def get_field_type(field: FieldInfo) -> ValueType:
    """The type of a field; what may be absent counts as what it is when present."""
    return _unwrap(ValueType(field.annotation, tuple(field.metadata)))


def _unwrap(value_type: ValueType) -> ValueType:
    """The type below Annotated and without None."""
    annotation, metadata = value_type.annotation, value_type.metadata
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        return _unwrap(ValueType(inner, (*marks, *metadata)))
    members = [part for part in list_union_members(annotation) if part is not type(None)]
    if len(members) == 1 and members[0] is not annotation:
        return _unwrap(ValueType(members[0], metadata))
    return value_type


def list_union_members(annotation: object) -> tuple[object, ...]:
    """The types of a union; a type that is no union is its own only member."""
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if is_union else (annotation,)


def find_error_site(model: type[Section], loc: Location) -> ErrorSite:
    """Follow `loc` of an error of reading `model`; marks that are no keys are left out."""
    location: Location = ()
    section, current, key_type = model, ValueType(model), None
    for part in loc:
        branch = _find_branch(current, part)
        if branch is not None:
            current = branch
        elif part == KEY_MARK and key_type is not None:
            return ErrorSite(location, section, key_type, is_key=True)
        else:
            location = (*location, part)
            section = find_section(current.annotation) or section
            current, key_type = _step_into(current, part)
    is_known = current != UNKNOWN
    return ErrorSite(location, section, current if is_known else None, is_key=False)


def _find_branch(value_type: ValueType, tag: object) -> ValueType | None:
    """The member of a tagged union that pydantic chose; the words of the union hold for it too."""
    for member in list_union_members(value_type.annotation):
        branch = _unwrap(ValueType(member))
        if any(isinstance(mark, Tag) and mark.tag == tag for mark in branch.metadata):
            return ValueType(branch.annotation, (*branch.metadata, *value_type.metadata))
    return None


UNKNOWN = ValueType(None)


def _step_into(value_type: ValueType, part: int | str) -> tuple[ValueType, ValueType | None]:
    """The type of the value under `part`, and in a mapping that of the keys."""
    annotation = value_type.annotation
    if isinstance(annotation, type) and issubclass(annotation, Section):
        field = get_fields_by_key(annotation).get(str(part))
        return (get_field_type(field) if field else UNKNOWN), None
    items = [build_value_type(item) for item in get_args(annotation)]
    if get_origin(annotation) is tuple:
        return items[0], None
    if get_origin(annotation) is Mapping:
        return items[1], items[0]
    return UNKNOWN, None


def describe_allowed(value_type: ValueType) -> str:
    """What the type takes, in words: those annotated to it, else its constraints."""
    value_type = _unwrap(value_type)
    if value_type.words.allowed is not None:
        return value_type.words.allowed
    if value_type.options:
        return ", ".join(map(str, value_type.options))
    return _describe_constraints(value_type) or " or ".join(_describe_parts(value_type.annotation))


def _describe_constraints(value_type: ValueType) -> str:
    if value_type.annotation is bool:
        return "true or false"
    limits = {type(mark): mark for field in value_type.metadata for mark in _list_marks(field)}
    low, above, high = limits.get(Ge), limits.get(Gt), limits.get(Le)
    if isinstance(low, Ge) and isinstance(high, Le):
        return f"an integer from {low.ge} to {high.le}"
    if isinstance(above, Gt) and isinstance(high, Le):
        return f"a number above {above.gt} and at most {high.le}"
    return ""


def _list_marks(mark: object) -> tuple[object, ...]:
    """The constraints of `Field(…)`, which holds them as a list when it is not a field's own."""
    return tuple(mark.metadata) if isinstance(mark, FieldInfo) else (mark,)


def _describe_parts(annotation: object) -> Iterator[str]:
    parts = [ValueType(part) for part in get_args(annotation)]
    if get_origin(annotation) is tuple:
        yield f"a list of: {describe_allowed(parts[0])}"
    elif get_origin(annotation) is Mapping:
        yield f"a mapping: {describe_allowed(parts[0])} → {describe_allowed(parts[1])}"
    elif len(list_union_members(annotation)) > 1:
        yield from (describe_allowed(part) for part in parts)
    elif find_section(annotation):
        yield "a block, see below"
