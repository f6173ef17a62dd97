"""Blocks of lines in a YAML file: a key and all below it is cut or put back, the rest stays.

Netplan files are written by people and by tools, with comments; loading and dumping them would
rewrite everything. PyYAML says where a key stands; the lines themselves are cut and put back.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from node.files import Reverted
from node.host.plain import as_mapping

if TYPE_CHECKING:
    import yaml


class BlockEdit(TypedDict):
    """One key's lines: `before` those that we cut, `after` those that we inserted; or None."""

    path: list[str]
    before: str | None
    after: str | None


def load(text: str) -> object:
    """The YAML value. Raises ValueError with a one-line reason."""
    import yaml

    try:
        return yaml.load(text, Loader=_select_loader())
    except yaml.YAMLError as error:
        raise ValueError(f"it is not valid YAML: {' '.join(str(error).split())}") from None


def _select_loader() -> type[yaml.SafeLoader]:
    """libyaml's where PyYAML was built with it (as in Ubuntu): ten times as fast."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def get_value(tree: object, path: Sequence[str]) -> object:
    """The value there, or None."""
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return None
        tree = tree[name]
    return tree


def cut_key(text: str, path: Sequence[str]) -> tuple[str, BlockEdit]:
    """Cut the key, and with it each parent that would be left empty.

    Raises ValueError where its lines hold more than that key (flow style, shared anchors).
    """
    removed_path = _extend_to_empty_parents(load(text), list(path))
    first, last = _find_span(text, removed_path)
    lines = text.splitlines(keepends=True)
    remaining = "".join(lines[:first] + lines[last + 1 :])
    if load(remaining) != _remove_key(load(text), removed_path):
        raise ValueError(f"{'.'.join(path)} cannot be removed line by line")
    return remaining, BlockEdit(
        path=removed_path, before="".join(lines[first : last + 1]), after=None
    )


def revert_edits(text: str, edits: Sequence[BlockEdit]) -> Reverted:
    """Blocks that we inserted are removed where they are still as we wrote them; blocks that we cut
    come back where nobody has written that key again."""
    changed = []
    for edit in reversed(edits):
        try:
            text = _revert_edit(text, edit)
        except ValueError as error:
            changed.append(f"{'.'.join(edit['path'])} ({error})")
    return Reverted(text if _has_content(text) else None, changed)


def _revert_edit(text: str, edit: BlockEdit) -> str:
    current = get_value(load(text), edit["path"])
    if edit["after"] is not None:
        if current is not None and current != _load_block_value(edit["after"]):
            raise ValueError("changed by others")
        return text if current is None else cut_key(text, edit["path"])[0]
    if current is not None:
        raise ValueError("rewritten by others")
    return _insert_block(text, edit["path"], edit["before"] or "")


def _insert_block(text: str, path: Sequence[str], block: str) -> str:
    node = _find_mapping(text, path[:-1])
    if node is None or not node.value or node.flow_style:
        raise ValueError("its parent key is missing")
    start = node.value[0][0].start_mark
    lines = text.splitlines(keepends=True)
    lines[start.line : start.line] = _indent_block(block, start.column)
    return "".join(lines)


def _indent_block(block: str, column: int) -> list[str]:
    lines = block.splitlines(keepends=True)
    if not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    depth = len(lines[0]) - len(lines[0].lstrip())
    return [" " * column + line[depth:] if line.strip() else line for line in lines]


def _extend_to_empty_parents(tree: object, path: list[str]) -> list[str]:
    """The longest path whose removal leaves no empty mapping behind; the top key always stays."""
    while len(path) > 2 and len(as_mapping(get_value(tree, path[:-1]))) == 1:
        path = path[:-1]
    return path


def _remove_key(tree: object, path: Sequence[str]) -> object:
    tree_mapping = as_mapping(tree)
    if len(path) == 1:
        return {name: value for name, value in tree_mapping.items() if name != path[0]}
    return {**tree_mapping, path[0]: _remove_key(tree_mapping[path[0]], path[1:])}


def _find_span(text: str, path: Sequence[str]) -> tuple[int, int]:
    parent = _find_mapping(text, path[:-1])
    if parent is None or parent.flow_style:
        raise ValueError(f"{'.'.join(path)} is in flow style")
    for key, value in parent.value:
        if key.value == path[-1]:
            return key.start_mark.line, max(key.start_mark.line, _get_last_line(value))
    raise ValueError(f"{'.'.join(path)} is not in it")


def _get_last_line(node: yaml.Node) -> int:
    children = getattr(node, "value", None)
    if isinstance(children, list) and children and not getattr(node, "flow_style", True):
        nodes = [node_part for child in children for node_part in _list_nodes(child)]
        return max(_get_last_line(node_part) for node_part in nodes)
    end = node.end_mark
    return int(end.line if end.column or not isinstance(children, str) else end.line - 1)


def _list_nodes(child: yaml.Node | tuple[yaml.Node, yaml.Node]) -> Sequence[yaml.Node]:
    return child if isinstance(child, tuple) else (child,)


def _find_mapping(text: str, path: Sequence[str]) -> yaml.MappingNode | None:
    """The mapping at the path, with the positions of its keys; None where there is none."""
    import yaml

    node: yaml.Node | None = yaml.compose(text, Loader=_select_loader())
    for name in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == name), None)
    return node if isinstance(node, yaml.MappingNode) else None


def _load_block_value(block: str) -> object:
    return next(iter(as_mapping(load(textwrap.dedent(block))).values()), None)


def _has_content(text: str) -> bool:
    """False where only netplan's version and renderer are left."""
    return bool(set(as_mapping(get_value(load(text), ["network"]))) - {"version", "renderer"})
