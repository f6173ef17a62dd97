"""Decides what changed between two sets of inputs, and whether that updates or replaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pulumi_offline.plugins.command.schema import INPUTS
from pulumi_offline.plugins.common.differences import ChangeKind, Difference
from pulumi_offline.plugins.common.paths import PropertyPath, format_path
from pulumi_offline.plugins.common.values import Properties, Property, is_same

REPLACING = frozenset(field.name for field in INPUTS if field.replaces)


def find_differences(old: Properties, new: Properties, ignored: Properties) -> list[Difference]:
    """What differs between old and new inputs, where ignored ones keep the given values.

    A change inside `triggers` is an update here: only a `triggers` that comes or goes as a whole
    replaces. It is the SDK's resource option `replace_on_changes=["triggers[*]"]` that makes the
    engine replace for the rest, with the official plugin too.
    """
    compared = {key: item for key, item in {**new, **ignored}.items() if not is_internal(key)}
    return [
        Difference(str(path[0]), format_path(path), change, format_path(path) in REPLACING)
        for path, change in compare_objects(old, compared, ())
    ]


def is_internal(key: str) -> bool:
    return key == "version" or key.startswith("__")


def compare_objects(
    old: Properties, new: Properties, path: PropertyPath
) -> Iterator[tuple[PropertyPath, ChangeKind]]:
    for key in old.keys() | new.keys():
        yield from compare_values(old.get(key), new.get(key), (*path, key))


def compare_lists(
    old: Sequence[Property], new: Sequence[Property], path: PropertyPath
) -> Iterator[tuple[PropertyPath, ChangeKind]]:
    for index, (before, after) in enumerate(zip(old, new, strict=False)):
        yield from compare_values(before, after, (*path, index))
    for index in range(len(old), len(new)):
        yield (*path, index), "ADD"
    for index in range(len(new), len(old)):
        yield (*path, index), "DELETE"


def compare_values(
    old: Property, new: Property, path: PropertyPath
) -> Iterator[tuple[PropertyPath, ChangeKind]]:
    match old, new:
        case dict(), dict():
            yield from compare_objects(old, new, path)
        case list(), list():
            yield from compare_lists(old, new, path)
        case _ if is_same(old, new):
            return
        case None, _:
            yield path, "ADD"
        case _, None:
            yield path, "DELETE"
        case _:
            yield path, "UPDATE"
