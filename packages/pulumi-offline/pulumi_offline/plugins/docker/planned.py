"""What a state will be: inputs, what the daemon fills in, and what it already filled in. Pure."""

from __future__ import annotations

from pulumi_offline.plugins.common.values import Properties, Property, Unknown
from pulumi_offline.plugins.docker.fields import Field, Resource


def plan_state(resource: Resource, inputs: Properties, state: Properties | None) -> Properties:
    """The state at preview; before a create, what the daemon will fill in is not known."""
    made_id = Unknown() if state is None else state.get("id")
    return {**merge_object(resource.root, inputs, state), "id": made_id}


def merge_object(field: Field, inputs: Properties, state: Properties | None) -> Properties:
    """An object of inputs with what the daemon filled in, as far as a state tells it."""
    result: Properties = {}
    for inner in field.fields:
        inputs_value = inputs.get(inner.name)
        value = (
            fill_value(inner, state)
            if inputs_value is None
            else merge_inside(inner, inputs_value, state)
        )
        if value is not None:
            result[inner.name] = value
    return result


def fill_value(field: Field, state: Properties | None) -> Property:
    if not field.computed:
        return None
    return Unknown() if state is None else state.get(field.name)


def merge_inside(field: Field, inputs: Property, state: Properties | None) -> Property:
    before = None if state is None else state.get(field.name)
    match inputs:
        case dict() if field.kind == "object":
            nothing: Properties | None = None if state is None else {}
            return merge_object(field, inputs, before if isinstance(before, dict) else nothing)
        case _:
            return inputs


def build_desired(resource: Resource, inputs: Properties, state: Properties | None) -> Properties:
    """What the daemon is to be told: inputs, and the state where they leave something to it."""
    return merge_object(resource.root, inputs, state or {})


def build_applied_state(field: Field, document: Properties, inputs: Properties) -> Properties:
    """The state after a create or update: what was found, but unordered lists as they were given.

    So does the official plugin; the next refresh reads those lists from the daemon.
    """
    known = field.by_name
    return {
        key: build_applied_value(known.get(key), item, inputs.get(key))
        for key, item in document.items()
    }


def build_applied_value(field: Field | None, document: Property, inputs: Property) -> Property:
    if field is None or inputs is None:
        return document
    if field.unordered:
        return inputs
    if field.kind == "object" and isinstance(document, dict) and isinstance(inputs, dict):
        return build_applied_state(field, document, inputs)
    return document


def read_inputs(inputs: Properties, state: Properties, used_defaults: list[str]) -> Properties:
    """The inputs that a refresh keeps: each given one with what the state now says about it."""
    remaining = {
        key: read_input(item, state[key])
        for key, item in inputs.items()
        if not key.startswith("__") and key in state
    }
    still: list[Property] = [
        name for name in used_defaults if remaining.get(name) == inputs.get(name)
    ]
    return {**remaining, "__defaults": still}


def read_input(inputs: Property, document: Property) -> Property:
    match inputs, document:
        case dict(), dict() if "__defaults" in inputs:
            listed = inputs["__defaults"]
            names = [str(name) for name in listed] if isinstance(listed, list) else []
            return read_inputs(inputs, document, names)
        case list(), list():
            return [
                read_input(inputs[index], item) if index < len(inputs) else item
                for index, item in enumerate(document)
            ]
        case _:
            return document
