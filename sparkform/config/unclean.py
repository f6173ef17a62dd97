"""Values that no key may have, whatever its kind: nothing, encrypted, not of JSON, too deep."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sparkform.config.paths import Location, path_of
from sparkform.config.secret_keys import is_secure, nested_secret
from sparkform.config.shape import shown
from sparkform.errors import Problem

DEEPEST = 12


def unclean_values(value: object, at: Location) -> Iterator[tuple[Location, Problem]]:
    """Each unclean value below `at`, with its location; what lies below it is not looked at."""
    problem = _verdict(value, at)
    if problem is not None:
        yield at, problem
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(key, item, at)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from unclean_values(item, (*at, position))


def _entry(key: object, item: object, at: Location) -> Iterator[tuple[Location, Problem]]:
    if isinstance(key, str):
        yield from unclean_values(item, (*at, key))
        return
    location = (*at, str(shown(key)))
    what = "is a key that is not text"
    yield location, Problem(path=path_of(location), what=what, remedy="put it in quotes")


def _verdict(value: object, at: Location) -> Problem | None:
    if is_secure(value):
        return nested_secret(at)
    what, remedy = _fault(value, at)
    return Problem(path=path_of(at), what=what, remedy=remedy) if what else None


def _fault(value: object, at: Location) -> tuple[str, str | None]:
    if value is None:
        return "has no value", "give it one or leave the key out"
    if len(at) > DEEPEST:
        return f"is nested deeper than {DEEPEST} levels", None
    if isinstance(value, float) and not math.isfinite(value):
        return "is not a finite number", None
    if not isinstance(value, str | bool | int | float | dict | list):
        return f"is of a kind that a stack file cannot hold: {type(value).__name__}", None
    return "", None
