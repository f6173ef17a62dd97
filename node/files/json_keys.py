"""Single keys of a JSON file: others' keys, their order and the indentation stay. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypedDict

from node.files import Unmerged
from node.host.plain import listing

Tree = dict[str, Any]


class Edit(TypedDict):
    """One key. With a `prefix` it is not the whole list at `path` that is ours, but its items that
    begin so. `before` and `after` are [] for absent and [value] for present. `depth`: how many
    levels of the path were there before us."""

    path: list[str]
    prefix: str | None
    before: list[Any]
    after: list[Any]
    depth: int


def parse(text: str | None) -> Tree:
    """Raises ValueError where the text is not one JSON object."""
    tree = json.loads(text) if text and text.strip() else {}
    if not isinstance(tree, dict):
        raise ValueError("it is not a JSON object")
    return tree


def find(tree: Tree, path: Sequence[str], prefix: str | None = None) -> list[Any]:
    """[value], or [] where there is none.

    >>> find({"a": ["x=1", "y=2"]}, ["a"], "x=")
    [['x=1']]
    """
    node: Any = tree
    for name in path:
        if not isinstance(node, dict) or name not in node:
            return []
        node = node[name]
    if prefix is None:
        return [node]
    ours = [item for item in listing(node) if _is_ours(item, prefix)]
    return [ours] if ours else []


def edit(tree: Tree, path: Sequence[str], value: object, prefix: str | None = None) -> Edit:
    """What setting the key would change; nothing is changed yet."""
    depth = sum(1 for n in range(1, len(path) + 1) if find(tree, path[:n]))
    before = find(tree, path, prefix)
    return Edit(path=list(path), prefix=prefix, before=before, after=[value], depth=depth)


def merge(text: str | None, edits: Sequence[Edit]) -> str:
    tree = parse(text)
    for one in edits:
        _put(tree, one, one["after"])
    return dump(tree, text)


def unmerge(text: str, edits: Sequence[Edit]) -> Unmerged:
    try:
        tree = parse(text)
    except ValueError as error:
        return Unmerged(text, [f"everything, because {error}"])
    left = []
    for one in reversed(edits):
        found = find(tree, one["path"], one["prefix"])
        if found == one["after"]:
            _put(tree, one, one["before"])
            _prune(tree, one)
        elif found != one["before"]:
            left.append(".".join(one["path"]))
    return Unmerged(dump(tree, text) if tree else None, left)


def dump(tree: Tree, like: str | None) -> str:
    """JSON text indented as `like` is, ending as it does."""
    found = re.search(r"^([ \t]+)\S", like or "", re.MULTILINE)
    one_line = bool(like) and like is not None and "\n" not in like.strip()
    indent = None if one_line else (found.group(1) if found else "    ")
    end = "\n" if not like or like.endswith("\n") else ""
    return json.dumps(tree, indent=indent, ensure_ascii=False) + end


def _put(tree: Tree, one: Edit, value: list[Any]) -> None:
    *parents, last = one["path"]
    node = tree
    for name in parents:
        if not isinstance(node.get(name), dict):
            node[name] = {}
        node = node[name]
    if one["prefix"] is not None:
        value = _with_items(node.get(last), one["prefix"], value[0] if value else [])
    if value:
        node[last] = value[0]
    else:
        node.pop(last, None)


def _with_items(found: object, prefix: str, items: list[Any]) -> list[Any]:
    there = listing(found)
    others = [item for item in there if not _is_ours(item, prefix)]
    first = next((n for n, item in enumerate(there) if _is_ours(item, prefix)), len(others))
    merged = others[:first] + items + others[first:]
    return [merged] if merged else []


def _prune(tree: Tree, one: Edit) -> None:
    """Take out the parents that only our key had called for."""
    for length in range(len(one["path"]) - 1, one["depth"], -1):
        if find(tree, one["path"][:length]) == [{}]:
            _put(tree, Edit(**{**one, "path": one["path"][:length], "prefix": None}), [])


def _is_ours(item: object, prefix: str) -> bool:
    return isinstance(item, str) and item.startswith(prefix)
