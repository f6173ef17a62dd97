"""Frozen dataclasses from JSON and back: the typed side of every document. Pure.

A field's key is its name, unless its metadata say otherwise (`key`, OMITTED). Known types: str,
int, float, bool, None, unions and literals of these, tuples, lists, mappings with text keys,
dataclasses, typed dictionaries, and `object` for a value that is passed on as it came.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import partial
from types import UnionType
from typing import Literal, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

T = TypeVar("T")
Convert = Callable[[object, str], object]
KEY = "key"
OMITTED: Mapping[str, bool] = {"omitted": True}
"""The metadata of a field that JSON has only where it is not None."""


class ShapeError(ValueError):
    """`path: what is wrong (got X)`. A text is not repeated: it may be a secret."""


def key(name: str) -> dict[str, str]:
    """The metadata of a field whose key in JSON is not its name."""
    return {KEY: name}


def parse(cls: type[T], value: object, path: str) -> T:
    """The value as an instance of the dataclass. Further keys are ignored. Raises ShapeError."""
    if not isinstance(value, dict):
        raise ShapeError(f"{path}: must be an object (got {_name(value)})")
    values = {}
    for entry in _list_fields(cls):
        if entry.key in value:
            values[entry.name] = entry.convert(value[entry.key], f"{path}.{entry.key}")
        elif entry.is_required:
            raise ShapeError(f"{path}.{entry.key}: is missing")
    return cls(**values)


def parse_known(cls: type[T], value: object) -> T:
    """As `parse`, for what another version may have written: what does not fit has its default.

    Every field of the dataclass has one. A plain `dict` takes what is there.
    """
    known = value if isinstance(value, dict) else {}
    if cls is dict:
        return cls(known)  # type: ignore[call-arg]
    values = {}
    for entry in _list_fields(cls):
        if entry.key in known:
            try:
                values[entry.name] = entry.convert(known[entry.key], entry.key)
            except ShapeError:
                continue
    return cls(**values)


def to_json(value: object) -> object:
    """What `json.dumps` takes: dataclasses as objects, tuples as arrays."""
    if is_dataclass(value):
        return to_fields(value)
    if isinstance(value, Mapping):
        return {name: to_json(member) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(member) for member in value]
    return value


def to_fields(document: object) -> dict[str, object]:
    """A dataclass as a JSON object; a mapping as it is."""
    if isinstance(document, Mapping):
        return {name: to_json(member) for name, member in document.items()}
    members = ((entry, getattr(document, entry.name)) for entry in _list_fields(type(document)))
    return {
        entry.key: to_json(member)
        for entry, member in members
        if not (entry.is_omitted and member is None)
    }


@dataclass(frozen=True)
class _Field:
    name: str
    key: str
    convert: Convert
    is_required: bool
    is_omitted: bool


_FIELDS: dict[type, tuple[_Field, ...]] = {}


def _list_fields(cls: type) -> tuple[_Field, ...]:
    if cls not in _FIELDS:
        hints = get_type_hints(cls)
        _FIELDS[cls] = tuple(
            _Field(
                name=entry.name,
                key=entry.metadata.get(KEY, entry.name),
                convert=_build_converter(hints[entry.name]),
                is_required=entry.default is MISSING and entry.default_factory is MISSING,
                is_omitted="omitted" in entry.metadata,
            )
            for entry in fields(cls)
        )
    return _FIELDS[cls]


def _build_converter(hint: type) -> Convert:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is object:
        return lambda value, path: value
    if origin in (Union, UnionType):
        return _build_union([_build_converter(argument) for argument in arguments])
    if origin is Literal:
        return _build_literal(arguments)
    if origin in (tuple, list):
        return _build_array(origin, _build_converter(arguments[0]))
    if is_typeddict(hint):
        return _build_typed_dict(hint)
    if origin in (dict, abc.Mapping) or hint is dict:
        return _build_mapping(_build_converter(arguments[1]) if arguments else None)
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(_parse_nested, hint)
    return _build_scalar(hint)


def _parse_nested(cls: type, value: object, path: str) -> object:
    return parse(cls, value, path)


def _build_union(converters: list[Convert]) -> Convert:
    """The first error counts: of `Half | None` it is the one about a half."""

    def convert(value: object, path: str) -> object:
        errors = []
        for attempt in converters:
            try:
                return attempt(value, path)
            except ShapeError as error:
                errors.append(error)
        raise errors[0]

    return convert


def _build_literal(allowed: tuple[object, ...]) -> Convert:
    def convert(value: object, path: str) -> object:
        if value in allowed:
            return value
        raise ShapeError(f"{path}: must be one of {', '.join(map(str, allowed))}")

    return convert


def _build_array(
    kind: type[tuple[object, ...]] | type[list[object]], convert_item: Convert
) -> Convert:
    def convert(value: object, path: str) -> object:
        if not isinstance(value, list | tuple):
            raise ShapeError(f"{path}: must be an array (got {_name(value)})")
        return kind(convert_item(item, f"{path}[{at}]") for at, item in enumerate(value))

    return convert


def _build_typed_dict(cls: type) -> Convert:
    """All of its keys are required."""
    converters: dict[str, Convert] = {}

    def convert(value: object, path: str) -> object:
        if not converters:
            hints = get_type_hints(cls)
            converters.update({name: _build_converter(hint) for name, hint in hints.items()})
        if not isinstance(value, dict):
            raise ShapeError(f"{path}: must be an object (got {_name(value)})")
        missing = [name for name in converters if name not in value]
        if missing:
            raise ShapeError(f"{path}.{missing[0]}: is missing")
        return {
            name: convert_value(value[name], f"{path}.{name}")
            for name, convert_value in converters.items()
        }

    return convert


def _build_mapping(convert_value: Convert | None) -> Convert:
    def convert(value: object, path: str) -> object:
        if not isinstance(value, dict):
            raise ShapeError(f"{path}: must be an object (got {_name(value)})")
        if convert_value is None:
            return value
        return {name: convert_value(item, f"{path}.{name}") for name, item in value.items()}

    return convert


def _build_scalar(expected: type) -> Convert:
    """A bool is no number here, and an integer is a float."""
    accepted = (int, float) if expected is float else (expected,)

    def convert(value: object, path: str) -> object:
        if type(value) in accepted:
            return value
        raise ShapeError(f"{path}: must be {expected.__name__} (got {_name(value)})")

    return convert


def _name(value: object) -> str:
    return "null" if value is None else type(value).__name__
