"""Values that no key may have, whatever its kind: nothing, encrypted, not of JSON, too deep."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sparkform.config.formatting import Location, format_path, format_value
from sparkform.config.secret_keys import describe_nested_secret, is_secure
from sparkform.errors import Problem

DEEPEST = 12


def find_unclean_values(value: object, location: Location) -> Iterator[tuple[Location, Problem]]:
    """Each unclean value at `location` or below; what lies below such a value is not checked."""
    problem = _find_problem(value, location)
    if problem is not None:
        yield location, problem
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _check_entry(key, item, location)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from find_unclean_values(item, (*location, position))


def _check_entry(key: object, item: object, parent: Location) -> Iterator[tuple[Location, Problem]]:
    if isinstance(key, str):
        yield from find_unclean_values(item, (*parent, key))
        return
    location = (*parent, str(format_value(key)))
    message = "is a key that is not text"
    yield location, Problem(path=format_path(location), message=message, remedy="put it in quotes")


def _find_problem(value: object, location: Location) -> Problem | None:
    if is_secure(value):
        return describe_nested_secret(location)
    message, remedy = _find_fault(value, location)
    return Problem(path=format_path(location), message=message, remedy=remedy) if message else None


def _find_fault(value: object, location: Location) -> tuple[str, str | None]:
    if value is None:
        return "has no value", "give it one or remove the key"
    if len(location) > DEEPEST:
        return f"is nested deeper than {DEEPEST} levels", None
    if isinstance(value, float) and not math.isfinite(value):
        return "is not a finite number", None
    if not isinstance(value, str | bool | int | float | dict | list):
        return f"has a type that a stack file cannot contain: {type(value).__name__}", None
    return "", None
