"""Single keys of a JSON file: other keys, their order and the indentation stay. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TypedDict

from node.files import Reverted
from node.host.plain import as_list

Tree = dict[str, object]


class JsonEdit(TypedDict):
    """One key. With a `prefix` only the items of the list at `path` that begin with it are ours.
    `before` and `after` are [] for absent and [value] for present. `depth`: how many levels of
    the path existed before us."""

    path: list[str]
    prefix: str | None
    before: list[object]
    after: list[object]
    depth: int


def parse(text: str | None) -> Tree:
    """An empty text is an empty object. Raises ValueError where it is not one JSON object."""
    tree = json.loads(text) if text and text.strip() else {}
    if not isinstance(tree, dict):
        raise ValueError("it is not a JSON object")
    return tree


def get_items(tree: Tree, path: Sequence[str], prefix: str | None = None) -> list[object]:
    """[value], or [] where there is none.

    >>> get_items({"a": ["x=1", "y=2"]}, ["a"], "x=")
    [['x=1']]
    """
    node: object = tree
    for name in path:
        if not isinstance(node, dict) or name not in node:
            return []
        node = node[name]
    if prefix is None:
        return [node]
    our_items = [item for item in as_list(node) if _is_ours(item, prefix)]
    return [our_items] if our_items else []


def plan_edit(
    tree: Tree, path: Sequence[str], value: object, prefix: str | None = None
) -> JsonEdit:
    """The edit that sets the key; nothing is changed yet."""
    depth = sum(1 for n in range(1, len(path) + 1) if get_items(tree, path[:n]))
    before = get_items(tree, path, prefix)
    return JsonEdit(path=list(path), prefix=prefix, before=before, after=[value], depth=depth)


def apply_edits(text: str | None, edits: Sequence[JsonEdit]) -> str:
    tree = parse(text)
    for edit in edits:
        _set_value(tree, edit, edit["after"])
    return dump_like(tree, text)


def revert_edits(text: str, edits: Sequence[JsonEdit]) -> Reverted:
    try:
        tree = parse(text)
    except ValueError as error:
        return Reverted(text, [f"everything, because {error}"])
    changed = []
    for edit in reversed(edits):
        current = get_items(tree, edit["path"], edit["prefix"])
        if current == edit["after"]:
            _set_value(tree, edit, edit["before"])
            _prune(tree, edit)
        elif current != edit["before"]:
            changed.append(".".join(edit["path"]))
    return Reverted(dump_like(tree, text) if tree else None, changed)


def dump_like(tree: Tree, sample: str | None) -> str:
    """JSON text with the indentation and the end of `sample`."""
    indented = re.search(r"^([ \t]+)\S", sample or "", re.MULTILINE)
    one_line = bool(sample) and sample is not None and "\n" not in sample.strip()
    indent = None if one_line else (indented.group(1) if indented else "    ")
    end = "\n" if not sample or sample.endswith("\n") else ""
    return json.dumps(tree, indent=indent, ensure_ascii=False) + end


def _set_value(tree: Tree, edit: JsonEdit, value: list[object]) -> None:
    *parents, last = edit["path"]
    node = tree
    for name in parents:
        child = node.get(name)
        if not isinstance(child, dict):
            child = node[name] = {}
        node = child
    if edit["prefix"] is not None:
        value = _replace_items(node.get(last), edit["prefix"], as_list(value[0]) if value else [])
    if value:
        node[last] = value[0]
    else:
        node.pop(last, None)


def _replace_items(current: object, prefix: str, replacement: list[object]) -> list[object]:
    current_items = as_list(current)
    foreign = [item for item in current_items if not _is_ours(item, prefix)]
    first = next(
        (n for n, item in enumerate(current_items) if _is_ours(item, prefix)), len(foreign)
    )
    merged = foreign[:first] + replacement + foreign[first:]
    return [merged] if merged else []


def _prune(tree: Tree, edit: JsonEdit) -> None:
    """Remove the parents that only our key had needed."""
    for length in range(len(edit["path"]) - 1, edit["depth"], -1):
        if get_items(tree, edit["path"][:length]) == [{}]:
            _set_value(
                tree, JsonEdit(**{**edit, "path": edit["path"][:length], "prefix": None}), []
            )


def _is_ours(item: object, prefix: str) -> bool:
    return isinstance(item, str) and item.startswith(prefix)
