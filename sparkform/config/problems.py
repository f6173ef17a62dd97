"""From pydantic's errors to ours: where, what is wrong, what is allowed, why, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sparkform.config.paths import Location, format_path
from sparkform.config.secret_keys import WHY_TOP_LEVEL, format_set_command, guess_secret_key
from sparkform.config.section import Section, find_section, get_fields_by_key
from sparkform.config.service import ENGINES, GRAPH_BLOCK, GRAPH_FLAG
from sparkform.config.shape import Shape, format_value
from sparkform.errors import Problem

# The other engine's nearest key, where there is one: value ranges or meaning may differ.
COUNTERPARTS = {
    "freeGpuMemoryFraction": "gpuMemoryUtilization (of all memory, not of what is free)",
    "gpuMemoryUtilization": "freeGpuMemoryFraction (of what is free after the weights)",
    "cudaGraph": "enforceEager",
    "enforceEager": "cudaGraph: false",
}

KINDS = {
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
}


def translate_errors(
    error: ValidationError, model: type[Section], parent: Location
) -> Iterator[tuple[Location, Problem]]:
    """The errors of reading `model` at `at`, each with its location in the stack file."""
    for detail in error.errors(include_url=False):
        if _is_about_a_key_that_is_not_text(detail):
            continue  # unclean_values says so, under a path that shows the key
        inner = _strip_marks(detail["loc"])
        location = (*parent, *inner)
        yield location, _translate_error(detail, model, location, inner)


def _strip_marks(loc: Location) -> Location:
    """`loc` without what pydantic puts in beside keys: a union's branch, a mark of a mapping's key.

    Each counts only behind the key where pydantic puts it, as a user's key may be of any form.
    """
    branch = loc.index("cudaGraph") + 1 if "cudaGraph" in loc else len(loc)
    if loc[branch : branch + 1] in ((GRAPH_FLAG,), (GRAPH_BLOCK,)):
        return (*loc[:branch], *loc[branch + 1 :])
    return loc[:2] if _is_variable_name(loc) else loc


def _is_variable_name(loc: Location) -> bool:
    return loc[:1] == ("environment",) and loc[2:] == ("[key]",)


def _is_about_a_key_that_is_not_text(detail: ErrorDetails) -> bool:
    is_odd_name = _is_variable_name(detail["loc"]) and not isinstance(detail["input"], str)
    return is_odd_name or detail["type"] == "invalid_key"


def _translate_error(
    detail: ErrorDetails, model: type[Section], location: Location, inner: Location
) -> Problem:
    path, kind, value = format_path(location), detail["type"], detail["input"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind == "shape":
        return describe_refusal(path, context["what"], context["shape"], value)
    if kind == "missing":
        return Problem(path=path, message="is missing")
    if kind == "extra_forbidden":
        return describe_unknown_key(path, str(inner[-1]), _find_enclosing_section(model, inner))
    if kind in ("too_short", "too_long"):
        return _describe_length(path, context, value)
    return Problem(path=path, message=KINDS.get(kind, "is not accepted"), got=format_value(value))


def describe_refusal(path: str, message: str, shape: Shape, value: object) -> Problem:
    """What a shape said of a value. Near names are offered where the choice is a closed list."""
    options = shape.allowed.split(", ")
    suggestions = get_close_matches(value, options, 1) if isinstance(value, str) else []
    return Problem(
        path=path,
        message=message,
        got=None if shape.hidden else format_value(value),
        allowed=shape.allowed,
        because=shape.because,
        remedy=f"did you mean {suggestions[0]}?" if suggestions else None,
    )


def _describe_length(path: str, context: Mapping[str, Any], value: object) -> Problem:
    if "min_length" in context:
        allowed, message = f"at least {context['min_length']}", "has too few items"
    else:
        allowed, message = f"at most {context['max_length']}", "has too many items"
    return Problem(path=path, message=message, got=format_value(value), allowed=allowed)


def _find_enclosing_section(model: type[Section], inner: Location) -> type[Section]:
    """The block in which the last part of `inner` stands."""
    block = model
    for part in inner[:-1]:
        field = get_fields_by_key(block).get(part) if isinstance(part, str) else None
        below = find_section(field.annotation) if field else None
        block = below or block
    return block


def describe_unknown_key(path: str, key: str, block: type[Section]) -> Problem:
    """A key that `block` does not have: another engine's, a secret, a near name, or unknown."""
    owner = next(
        (engine for engine, model in ENGINES.items() if key in get_fields_by_key(model)), None
    )
    if block in ENGINES.values() and owner is not None:
        return _describe_other_engine(path, key, owner)
    secret = guess_secret_key(key)
    if secret:
        message, remedy = "is a secret, which has no place here", format_set_command(secret)
        return Problem(path=path, message=message, because=WHY_TOP_LEVEL, remedy=remedy)
    known = list(get_fields_by_key(block))
    suggestions = get_close_matches(key, known, 3, cutoff=0.6)
    return Problem(
        path=path,
        message="is not a known key",
        allowed=", ".join(known),
        remedy=f"did you mean {' or '.join(suggestions)}?" if suggestions else None,
    )


def _describe_other_engine(path: str, key: str, owner: str) -> Problem:
    engines = [engine for engine in ENGINES if engine != owner]
    counterpart = COUNTERPARTS.get(key)
    return Problem(
        path=path,
        message=f"is a key of {owner}, which this service does not use",
        because=f"only engine {owner} has it",
        remedy=f"with {engines[0]} the nearest is {counterpart}" if counterpart else "leave it out",
    )
