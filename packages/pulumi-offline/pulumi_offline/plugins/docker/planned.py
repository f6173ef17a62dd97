"""What a state will be: inputs, what the daemon fills in, and what it already filled in. Pure."""

from __future__ import annotations

from pulumi_offline.plugins.common.values import Properties, Property, Unknown
from pulumi_offline.plugins.docker.fields import Field, Resource


def planned(resource: Resource, inputs: Properties, state: Properties | None) -> Properties:
    """The state at preview; before a create, what the daemon will fill in is not known."""
    made_id = Unknown() if state is None else state.get("id")
    return {**merged(resource.root, inputs, state), "id": made_id}


def merged(field: Field, inputs: Properties, state: Properties | None) -> Properties:
    """An object of inputs with what the daemon filled in, as far as a state tells it."""
    made: Properties = {}
    for inner in field.fields:
        given = inputs.get(inner.name)
        value = filled(inner, state) if given is None else inside(inner, given, state)
        if value is not None:
            made[inner.name] = value
    return made


def filled(field: Field, state: Properties | None) -> Property:
    if not field.computed:
        return None
    return Unknown() if state is None else state.get(field.name)


def inside(field: Field, given: Property, state: Properties | None) -> Property:
    before = None if state is None else state.get(field.name)
    match given:
        case dict() if field.kind == "object":
            nothing: Properties | None = None if state is None else {}
            return merged(field, given, before if isinstance(before, dict) else nothing)
        case _:
            return given


def desired(resource: Resource, inputs: Properties, state: Properties | None) -> Properties:
    """What the daemon is to be told: inputs, and the state where they leave something to it."""
    return merged(resource.root, inputs, state or {})


def applied(field: Field, found: Properties, inputs: Properties) -> Properties:
    """The state after a create or update: what was found, but unordered lists as they were given.

    So does the official plugin; the next refresh reads those lists from the daemon.
    """
    known = field.by_name
    return {
        key: applied_value(known.get(key), item, inputs.get(key)) for key, item in found.items()
    }


def applied_value(field: Field | None, found: Property, given: Property) -> Property:
    if field is None or given is None:
        return found
    if field.unordered:
        return given
    if field.kind == "object" and isinstance(found, dict) and isinstance(given, dict):
        return applied(field, found, given)
    return found


def read_inputs(inputs: Properties, state: Properties, used_defaults: list[str]) -> Properties:
    """The inputs that a refresh keeps: each given one with what the state now says about it."""
    kept = {
        key: read_input(item, state[key])
        for key, item in inputs.items()
        if not key.startswith("__") and key in state
    }
    still: list[Property] = [name for name in used_defaults if kept.get(name) == inputs.get(name)]
    return {**kept, "__defaults": still}


def read_input(given: Property, found: Property) -> Property:
    match given, found:
        case dict(), dict() if "__defaults" in given:
            listed = given["__defaults"]
            names = [str(name) for name in listed] if isinstance(listed, list) else []
            return read_inputs(given, found, names)
        case list(), list():
            return [
                read_input(given[index], item) if index < len(given) else item
                for index, item in enumerate(found)
            ]
        case _:
            return found
