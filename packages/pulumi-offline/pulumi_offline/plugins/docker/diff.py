"""Decides what changed between a state and inputs, and whether that updates or replaces.

The official plugin compares the state with the inputs, never inputs with inputs: what an input
leaves out counts as its zero, unless the property is one that the daemon fills in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pulumi_offline.plugins.common.differences import ChangeKind, Difference
from pulumi_offline.plugins.common.paths import PropertyPath, format_path
from pulumi_offline.plugins.common.values import Properties, Property, Unknown, is_same
from pulumi_offline.plugins.docker.fields import DockerField, ResourceType


@dataclass(frozen=True)
class PathChange:
    """One changed place inside a resource."""

    path: PropertyPath
    kind: ChangeKind
    replaces: bool


def find_differences(
    resource_type: ResourceType, state: Properties, inputs: Properties, ignored: frozenset[str]
) -> list[Difference]:
    """What differs; top-level properties in `ignored` keep what the state holds."""
    compared = tuple(field for field in resource_type.fields if field.name not in ignored)
    return [
        Difference(str(change.path[0]), format_path(change.path), change.kind, change.replaces)
        for change in compare_objects(state, inputs, compared, ())
    ]


def compare_objects(
    state: Properties, inputs: Properties, fields: tuple[DockerField, ...], path: PropertyPath
) -> Iterator[PathChange]:
    for field in fields:
        if field.outputs_only:
            continue
        yield from compare_values(
            state.get(field.name), inputs.get(field.name), field, (*path, field.name)
        )


def compare_values(
    old: Property, new: Property, field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    """What differs below one property; None stands for one that is left out."""
    if new is None and field.computed:
        return
    if isinstance(new, Unknown):
        yield from compare_unknown(old, field, path)
        return
    match field.kind:
        case "object":
            yield from compare_nested(old, new, field, path)
        case "objects" | "strings":
            yield from compare_lists(old, new, field, path)
        case "map":
            yield from compare_maps(old, new, field, path)
        case _:
            yield from compare_scalars(old, new, field, path)


def compare_unknown(old: Property, field: DockerField, path: PropertyPath) -> Iterator[PathChange]:
    """A whole collection that is not known yet and that the daemon may fill in counts as kept."""
    if field.computed and field.kind in ("strings", "objects", "map", "object"):
        return
    yield PathChange(path, "ADD" if is_zero(old, field) else "UPDATE", field.replaces)


def compare_scalars(
    old: Property, new: Property, field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    before, after = get_or_zero(old, field), get_or_zero(new, field)
    if is_same(before, after) or (field.keeps_when_empty and after == ""):
        return
    yield PathChange(path, classify_change(old, new), field.replaces)


def classify_change(old: Property, new: Property) -> ChangeKind:
    if old is None:
        return "ADD"
    return "DELETE" if new is None else "UPDATE"


def get_or_zero(value: Property, field: DockerField) -> Property:
    if value is None:
        return float(0) if field.kind == "integer" else field.zero  # type: ignore[return-value]
    return value


def is_zero(value: Property, field: DockerField) -> bool:
    return value is None or is_same(value, get_or_zero(None, field))


def compare_maps(
    old: Property, new: Property, field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    before = old if isinstance(old, dict) else {}
    after = new if isinstance(new, dict) else {}
    if not before and after:
        yield PathChange(path, "ADD", field.replaces)
        return
    for key in sorted(before.keys() | after.keys()):
        if not is_same(before.get(key), after.get(key)):
            kind = classify_change(before.get(key), after.get(key))
            yield PathChange((*path, key), kind, field.replaces)


def compare_nested(
    old: Property, new: Property, field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    """An object that comes or goes counts as a whole; one that stays is compared inside."""
    before = old if isinstance(old, dict) else None
    after = new if isinstance(new, dict) else None
    if before is None and after is None:
        return
    inside = list(compare_objects(before or {}, after or {}, field.fields, path))
    if before is not None and after is not None:
        yield from inside
        return
    replaces = field.replaces or any(item.replaces for item in inside)
    yield PathChange(path, "DELETE" if after is None else "ADD", replaces)


def compare_lists(
    old: Property, new: Property, field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    before = old if isinstance(old, list) else []
    after = new if isinstance(new, list) else []
    if not before or not after:
        yield from compare_list_sizes(before, after, field, path)
    elif field.unordered:
        yield from compare_unordered(before, after, field, path)
    else:
        yield from compare_ordered(before, after, field, path)


def compare_list_sizes(
    before: list[Property], after: list[Property], field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    if len(before) != len(after):
        replaces = field.replaces or has_replacing_field(field)
        yield PathChange(path, "ADD" if after else "DELETE", replaces)


def has_replacing_field(field: DockerField) -> bool:
    return any(inner.replaces for inner in field.fields)


def compare_ordered(
    before: list[Property], after: list[Property], field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    count_replaces = field.replaces and len(before) != len(after)
    for index in range(max(len(before), len(after))):
        old = before[index] if index < len(before) else None
        new = after[index] if index < len(after) else None
        for change in compare_elements(old, new, field, (*path, index)):
            yield replace(change, replaces=change.replaces or count_replaces)


def compare_unordered(
    before: list[Property], after: list[Property], field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    """Elements are the same wherever they stand; those that differ are paired by place."""
    count_replaces = field.replaces and len(before) != len(after)
    removed = find_missing(before, after, field)
    added = find_missing(after, before, field)
    places = [before.index(item) for item in removed] + [after.index(item) for item in added]
    for index in sorted(set(places)):
        old = before[index] if index < len(before) and before[index] in removed else None
        new = after[index] if index < len(after) and after[index] in added else None
        replaces = count_replaces or must_replace_element(old, new, field)
        for change in compare_elements(old, new, field, (*path, index)):
            yield replace(change, replaces=replaces)


def find_missing(
    elements: list[Property], candidates: list[Property], field: DockerField
) -> list[Property]:
    """The elements that have no equal among the others."""
    return [
        element
        for element in elements
        if not any(is_same_element(element, candidate, field) for candidate in candidates)
    ]


def is_same_element(old: Property, new: Property, field: DockerField) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return not any(compare_objects(old, new, field.fields, ()))
    return is_same(old, new)


def must_replace_element(old: Property, new: Property, field: DockerField) -> bool:
    """A changed element of a set goes and comes as a whole: each part of it that is set counts."""
    if field.kind == "strings":
        return field.replaces
    return any(
        inner.replaces and not is_zero(element.get(inner.name), inner)
        for element in (old, new)
        if isinstance(element, dict)
        for inner in field.fields
    )


def compare_elements(
    old: Property, new: Property, field: DockerField, path: PropertyPath
) -> Iterator[PathChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from compare_objects(old, new, field.fields, path)
    elif not is_same(old, new):
        replaces = field.replaces or has_replacing_field(field)
        yield PathChange(path, classify_change(old, new), replaces)
