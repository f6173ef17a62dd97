"""Decides what changed between a state and inputs, and whether that updates or replaces.

The official plugin compares the state with the inputs, never inputs with inputs: what an input
leaves out counts as its zero, unless the property is one that the daemon fills in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pulumi_offline.plugins.common.differences import Change, Difference
from pulumi_offline.plugins.common.paths import Path, format_path
from pulumi_offline.plugins.common.values import Properties, Property, Unknown, is_same
from pulumi_offline.plugins.docker.check import list_default_names
from pulumi_offline.plugins.docker.fields import Field, Resource


@dataclass(frozen=True)
class Changed:
    """One changed place inside a resource."""

    path: Path
    change: Change
    replaces: bool


def list_differences(
    resource: Resource, state: Properties, inputs: Properties, ignored: frozenset[str]
) -> list[Difference]:
    """What differs; top-level properties in `ignored` keep what the state holds."""
    compared = tuple(field for field in resource.fields if field.name not in ignored)
    document = list_object_changes(state, inputs, compared, ())
    return [
        Difference(str(item.path[0]), format_path(item.path), item.change, item.replaces)
        for item in document
    ]


def must_delete_first(resource: Resource, inputs: Properties, document: list[Difference]) -> bool:
    """Whether a replacement has to wait for the delete: always where the name would clash."""
    replaces = any(difference.replaces for difference in document)
    has_fixed_name = resource.is_autonamed and "name" not in list_default_names(inputs)
    return replaces and (resource.deletes_first or has_fixed_name)


def list_object_changes(
    state: Properties, inputs: Properties, fields: tuple[Field, ...], path: Path
) -> Iterator[Changed]:
    for field in fields:
        if field.outputs_only:
            continue
        yield from changes(
            state.get(field.name), inputs.get(field.name), field, (*path, field.name)
        )


def changes(old: Property, new: Property, field: Field, path: Path) -> Iterator[Changed]:
    """What differs below one property; None stands for one that is left out."""
    if new is None and field.computed:
        return
    if isinstance(new, Unknown):
        yield from list_unknown_change(old, field, path)
        return
    match field.kind:
        case "object":
            yield from list_nested_changes(old, new, field, path)
        case "objects" | "strings":
            yield from list_changes(old, new, field, path)
        case "map":
            yield from map_changes(old, new, field, path)
        case _:
            yield from list_scalar_change(old, new, field, path)


def list_unknown_change(old: Property, field: Field, path: Path) -> Iterator[Changed]:
    """A whole collection that is not known yet and that the daemon may fill in counts as kept."""
    if field.computed and field.kind in ("strings", "objects", "map", "object"):
        return
    yield Changed(path, "ADD" if is_zero(old, field) else "UPDATE", field.replaces)


def list_scalar_change(old: Property, new: Property, field: Field, path: Path) -> Iterator[Changed]:
    before, after = get_known_or_zero(old, field), get_known_or_zero(new, field)
    if is_same(before, after) or (field.keeps_when_empty and after == ""):
        return
    yield Changed(path, change_between(old, new), field.replaces)


def change_between(old: Property, new: Property) -> Change:
    if old is None:
        return "ADD"
    return "DELETE" if new is None else "UPDATE"


def get_known_or_zero(value: Property, field: Field) -> Property:
    if value is None:
        return float(0) if field.kind == "integer" else field.zero  # type: ignore[return-value]
    return value


def is_zero(value: Property, field: Field) -> bool:
    return value is None or is_same(value, get_known_or_zero(None, field))


def map_changes(old: Property, new: Property, field: Field, path: Path) -> Iterator[Changed]:
    before = old if isinstance(old, dict) else {}
    after = new if isinstance(new, dict) else {}
    if not before and after:
        yield Changed(path, "ADD", field.replaces)
        return
    for key in sorted(before.keys() | after.keys()):
        if not is_same(before.get(key), after.get(key)):
            change = change_between(before.get(key), after.get(key))
            yield Changed((*path, key), change, field.replaces)


def list_nested_changes(
    old: Property, new: Property, field: Field, path: Path
) -> Iterator[Changed]:
    """An object that comes or goes counts as a whole; one that stays is looked into."""
    before = old if isinstance(old, dict) else None
    after = new if isinstance(new, dict) else None
    if before is None and after is None:
        return
    inside = list(list_object_changes(before or {}, after or {}, field.fields, path))
    if before is not None and after is not None:
        yield from inside
        return
    replaces = field.replaces or any(item.replaces for item in inside)
    yield Changed(path, "DELETE" if after is None else "ADD", replaces)


def list_changes(old: Property, new: Property, field: Field, path: Path) -> Iterator[Changed]:
    before = old if isinstance(old, list) else []
    after = new if isinstance(new, list) else []
    if not before or not after:
        yield from list_whole_list_change(before, after, field, path)
    elif field.unordered:
        yield from set_changes(before, after, field, path)
    else:
        yield from list_ordered_changes(before, after, field, path)


def list_whole_list_change(
    before: list[Property], after: list[Property], field: Field, path: Path
) -> Iterator[Changed]:
    if len(before) != len(after):
        yield Changed(
            path, "ADD" if after else "DELETE", field.replaces or can_replace_inside(field)
        )


def can_replace_inside(field: Field) -> bool:
    return any(inner.replaces for inner in field.fields)


def list_ordered_changes(
    before: list[Property], after: list[Property], field: Field, path: Path
) -> Iterator[Changed]:
    counts = field.replaces and len(before) != len(after)
    for index in range(max(len(before), len(after))):
        old = before[index] if index < len(before) else None
        new = after[index] if index < len(after) else None
        for document in list_element_changes(old, new, field, (*path, index)):
            yield replace(document, replaces=document.replaces or counts)


def set_changes(
    before: list[Property], after: list[Property], field: Field, path: Path
) -> Iterator[Changed]:
    """Elements are the same wherever they stand; the rest is paired by place."""
    counts = field.replaces and len(before) != len(after)
    removed = [
        item for item in before if not any(is_same_element(item, entry, field) for entry in after)
    ]
    come = [
        item for item in after if not any(is_same_element(entry, item, field) for entry in before)
    ]
    locations = [before.index(item) for item in removed] + [after.index(item) for item in come]
    for index in sorted(set(locations)):
        old = before[index] if index < len(before) and before[index] in removed else None
        new = after[index] if index < len(after) and after[index] in come else None
        replaces = counts or must_replace_element(old, new, field)
        for document in list_element_changes(old, new, field, (*path, index)):
            yield replace(document, replaces=replaces)


def is_same_element(old: Property, new: Property, field: Field) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return not any(list_object_changes(old, new, field.fields, ()))
    return is_same(old, new)


def must_replace_element(old: Property, new: Property, field: Field) -> bool:
    """A changed element of a set goes and comes as a whole: each part of it that is set counts."""
    if field.kind == "strings":
        return field.replaces
    return any(
        inner.replaces and not is_zero(element.get(inner.name), inner)
        for element in (old, new)
        if isinstance(element, dict)
        for inner in field.fields
    )


def list_element_changes(
    old: Property, new: Property, field: Field, path: Path
) -> Iterator[Changed]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from list_object_changes(old, new, field.fields, path)
    elif not is_same(old, new):
        yield Changed(path, change_between(old, new), field.replaces or can_replace_inside(field))
