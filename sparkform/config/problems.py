"""From pydantic's errors to ours: where, what is wrong, what is allowed, why, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sparkform.config.field_types import (
    ErrorSite,
    ValueType,
    describe_allowed,
    find_error_site,
)
from sparkform.config.formatting import Location, format_path, format_value
from sparkform.config.secret_keys import (
    ENCRYPTED_KEY,
    WHY_TOP_LEVEL,
    format_set_command,
    guess_secret_key,
)
from sparkform.config.section import Section, get_fields_by_key
from sparkform.config.service import ENGINES
from sparkform.config.validators import find_text_fault
from sparkform.errors import Problem

# The other engine's nearest key, where there is one: value ranges or meaning may differ.
COUNTERPARTS = {
    "freeGpuMemoryFraction": "gpuMemoryUtilization (of all memory, not of what is free)",
    "gpuMemoryUtilization": "freeGpuMemoryFraction (of what is free after the weights)",
    "cudaGraph": "enforceEager",
    "enforceEager": "cudaGraph: false",
}

WRONG_FORM = {
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
}
"""Errors about a block or list as such; what it may hold is no help then."""

WRONG_VALUE = {
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "finite_number": "is out of range",
    "greater_than": "is out of range",
    "greater_than_equal": "is out of range",
    "less_than_equal": "is out of range",
    "literal_error": "is not one of the known values",
    "string_unicode": "holds a character that is not one of Unicode's",
}


def translate_errors(
    error: ValidationError, model: type[Section], parent: Location
) -> Iterator[tuple[Location, Problem]]:
    """The errors of reading `model` at `parent`, each with its location in the stack file."""
    for detail in error.errors(include_url=False):
        site = find_error_site(model, detail["loc"])
        if _is_about_a_key_that_is_not_text(detail, site):
            continue  # find_unclean_values reports it, under a path that shows the key
        location = (*parent, *site.location)
        yield location, _translate_error(detail, site, location)


def _is_about_a_key_that_is_not_text(detail: ErrorDetails, site: ErrorSite) -> bool:
    is_odd_key = site.is_key and not isinstance(detail["input"], str)
    return is_odd_key or detail["type"] == "invalid_key"


def _translate_error(detail: ErrorDetails, site: ErrorSite, location: Location) -> Problem:
    path, kind, value_type = format_path(location), detail["type"], site.value_type
    if kind == "missing":
        is_choice = value_type is not None and value_type.options
        allowed = describe_allowed(value_type) if value_type and is_choice else None
        return Problem(path=path, message="is missing", allowed=allowed)
    if kind == "extra_forbidden":
        return describe_unknown_key(path, str(location[-1]), site.section)
    got = None if _is_hidden(location, value_type) else format_value(detail["input"])
    if kind in ("too_short", "too_long"):
        return _describe_length(path, detail.get("ctx", {}), got)
    if kind in WRONG_FORM or value_type is None:
        return Problem(path=path, message=WRONG_FORM.get(kind, "is not accepted"), got=got)
    subject = "the name " if site.is_key else ""
    return Problem(
        path=path,
        message=subject + _describe_error(detail, value_type),
        got=got,
        allowed=describe_allowed(value_type),
        because=value_type.words.because,
        remedy=_suggest_option(value_type, detail["input"]),
    )


def _is_hidden(location: Location, value_type: ValueType | None) -> bool:
    """Whether a message must not repeat the value: it may be a secret."""
    return location[-1:] == (ENCRYPTED_KEY,) or (value_type is not None and value_type.words.hidden)


def _suggest_option(value_type: ValueType, value: object) -> str | None:
    """A near name where the choice is a closed list."""
    options = [str(option) for option in value_type.options]
    suggestions = get_close_matches(value, options, 1) if isinstance(value, str) else []
    return f"did you mean {suggestions[0]}?" if suggestions else None


def _describe_error(detail: ErrorDetails, value_type: ValueType) -> str:
    """What is wrong with a single value, in words that follow its path."""
    kind, value = detail["type"], detail["input"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind == "string_type":
        is_scalar = isinstance(value, bool | int | float)
        return "must be text: put it in quotes" if is_scalar else "must be text"
    if kind == "string_too_long":
        return f"is longer than {detail['ctx']['max_length']} characters"
    if kind == "string_pattern_mismatch":
        return find_text_fault(str(value)) or value_type.words.mismatch or "is not accepted"
    return WRONG_VALUE.get(kind, "is not accepted")


def _describe_length(path: str, context: Mapping[str, object], got: str | None) -> Problem:
    if "min_length" in context:
        allowed, message = f"at least {context['min_length']}", "has too few items"
    else:
        allowed, message = f"at most {context['max_length']}", "has too many items"
    return Problem(path=path, message=message, got=got, allowed=allowed)


def describe_unknown_key(path: str, key: str, section: type[Section]) -> Problem:
    """A key that `section` does not have: another engine's, a secret, a near name, or unknown."""
    owner = next(
        (engine for engine, model in ENGINES.items() if key in get_fields_by_key(model)), None
    )
    if section in ENGINES.values() and owner is not None:
        return _describe_other_engine(path, key, owner)
    secret = guess_secret_key(key)
    if secret:
        message, remedy = "is a secret, which is not allowed here", format_set_command(secret)
        return Problem(path=path, message=message, because=WHY_TOP_LEVEL, remedy=remedy)
    known = list(get_fields_by_key(section))
    suggestions = get_close_matches(key, known, 3, cutoff=0.6)
    # All the keys there are would hide the one that is meant.
    return Problem(
        path=path,
        message="is not a known key",
        allowed=None if suggestions else ", ".join(known),
        remedy=f"did you mean {' or '.join(suggestions)}?" if suggestions else None,
    )


def _describe_other_engine(path: str, key: str, owner: str) -> Problem:
    engines = [engine for engine in ENGINES if engine != owner]
    counterpart = COUNTERPARTS.get(key)
    remedy = f"with {engines[0]} the nearest is {counterpart}" if counterpart else "remove it"
    return Problem(
        path=path,
        message=f"is a key of {owner}, which this service does not use",
        because=f"only engine {owner} has it",
        remedy=remedy,
    )
