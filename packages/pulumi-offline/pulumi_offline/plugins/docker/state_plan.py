"""What a state will be: inputs, what the daemon fills in, and what it already filled in. Pure."""

from __future__ import annotations

from collections.abc import Collection

from pulumi_offline.plugins.common.values import Properties, Property, Unknown
from pulumi_offline.plugins.docker.check import DEFAULTS, list_defaulted
from pulumi_offline.plugins.docker.fields import DockerField, ResourceType


def plan_state(
    resource_type: ResourceType, inputs: Properties, state: Properties | None
) -> Properties:
    """The state at preview; before a create, what the daemon will fill in is not known."""
    resource_id = Unknown() if state is None else state.get("id")
    return {**merge_object(resource_type.root, inputs, state), "id": resource_id}


def merge_object(field: DockerField, inputs: Properties, state: Properties | None) -> Properties:
    """An object of inputs with what the daemon filled in, as far as a state shows it."""
    merged: Properties = {}
    for inner in field.fields:
        value = inputs.get(inner.name)
        value = fill_in(inner, state) if value is None else merge_value(inner, value, state)
        if value is not None:
            merged[inner.name] = value
    return merged


def fill_in(field: DockerField, state: Properties | None) -> Property:
    if not field.computed:
        return None
    return Unknown() if state is None else state.get(field.name)


def merge_value(field: DockerField, value: Property, state: Properties | None) -> Property:
    before = None if state is None else state.get(field.name)
    match value:
        case dict() if field.kind == "object":
            absent: Properties | None = None if state is None else {}
            return merge_object(field, value, before if isinstance(before, dict) else absent)
        case _:
            return value


def merge_desired(
    resource_type: ResourceType, inputs: Properties, state: Properties | None
) -> Properties:
    """What is sent to the daemon: inputs, and the state where they leave something to it."""
    return merge_object(resource_type.root, inputs, state or {})


def keep_input_order(field: DockerField, state: Properties, inputs: Properties) -> Properties:
    """The state after a create or update: as it was read, but unordered lists as the inputs.

    So does the official plugin; the next refresh reads those lists from the daemon.
    """
    known = field.by_name
    return {
        key: keep_value_order(known.get(key), item, inputs.get(key)) for key, item in state.items()
    }


def keep_value_order(field: DockerField | None, value: Property, input_value: Property) -> Property:
    if field is None or input_value is None:
        return value
    if field.unordered:
        return input_value
    if field.kind == "object" and isinstance(value, dict) and isinstance(input_value, dict):
        return keep_input_order(field, value, input_value)
    return value


def refresh_inputs(inputs: Properties, state: Properties) -> Properties:
    """The inputs that a refresh keeps: each of them with what the state now says about it."""
    refreshed = {
        key: refresh_input(item, state[key])
        for key, item in inputs.items()
        if not key.startswith("__") and key in state
    }
    unchanged: Collection[str] = [
        name for name in list_defaulted(inputs) if refreshed.get(name) == inputs.get(name)
    ]
    return {**refreshed, DEFAULTS: [*unchanged]}


def refresh_input(before: Property, now: Property) -> Property:
    match before, now:
        case dict(), dict() if DEFAULTS in before:
            return refresh_inputs(before, now)
        case list(), list():
            return [
                refresh_input(before[index], item) if index < len(before) else item
                for index, item in enumerate(now)
            ]
        case _:
            return now
