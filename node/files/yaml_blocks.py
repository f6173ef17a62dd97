"""Blocks of lines in a YAML file: a key with all below it goes out or in, the rest keeps its form.

Netplan files are written by people and by tools, with comments; loading and dumping them would
rewrite all of it. PyYAML says where a key stands; the lines themselves are cut and put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from node.files import Unmerged
from node.host.plain import mapping

if TYPE_CHECKING:
    import yaml


class Edit(TypedDict):
    """One key's lines: `before` what we took out, `after` what we put in; None for nothing."""

    path: list[str]
    before: str | None
    after: str | None


def load(text: str) -> object:
    """The YAML value. Raises ValueError with a one-line reason."""
    import yaml

    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise ValueError(f"it is not valid YAML: {' '.join(str(error).split())}") from None


def _loader() -> type[yaml.SafeLoader]:
    """The one of libyaml where PyYAML was built with it (as in Ubuntu): ten times as fast."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def value_at(tree: object, path: Sequence[str]) -> object:
    """The value there, or None."""
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return None
        tree = tree[name]
    return tree


def take_out(text: str, path: Sequence[str]) -> tuple[str, Edit]:
    """Cut the key, and with it each parent that would be left empty.

    Raises ValueError where its lines hold more than that key (flow style, shared anchors).
    """
    whole = _emptied(load(text), list(path))
    first, last = _span(text, whole)
    lines = text.splitlines(keepends=True)
    rest = "".join(lines[:first] + lines[last + 1 :])
    if load(rest) != _without(load(text), whole):
        raise ValueError(f"{'.'.join(path)} cannot be cut out of it by lines")
    return rest, Edit(path=whole, before="".join(lines[first : last + 1]), after=None)


def unmerge(text: str, edits: Sequence[Edit]) -> Unmerged:
    """What we put in goes where it is still as we wrote it; what we took out comes back where
    nobody has written that key anew."""
    left = []
    for one in reversed(edits):
        try:
            text = _revert(text, one)
        except ValueError as error:
            left.append(f"{'.'.join(one['path'])} ({error})")
    return Unmerged(text if _says_something(text) else None, left)


def _revert(text: str, one: Edit) -> str:
    found = value_at(load(text), one["path"])
    if one["after"] is not None:
        if found is not None and found != _own_value(one["after"]):
            raise ValueError("others changed it")
        return text if found is None else take_out(text, one["path"])[0]
    if found is not None:
        raise ValueError("others wrote it anew")
    return _put_in(text, one["path"], one["before"] or "")


def _put_in(text: str, path: Sequence[str], block: str) -> str:
    node = _node_at(text, path[:-1])
    if node is None or not node.value or node.flow_style:
        raise ValueError("the key above it is gone")
    start = node.value[0][0].start_mark
    lines = text.splitlines(keepends=True)
    lines[start.line : start.line] = _indented(block, start.column)
    return "".join(lines)


def _indented(block: str, column: int) -> list[str]:
    lines = block.splitlines(keepends=True)
    if not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    own = len(lines[0]) - len(lines[0].lstrip())
    return [" " * column + line[own:] if line.strip() else line for line in lines]


def _emptied(tree: object, path: list[str]) -> list[str]:
    """The longest path whose removal leaves no empty mapping behind; the top key always stays."""
    while len(path) > 2 and len(mapping(value_at(tree, path[:-1]))) == 1:
        path = path[:-1]
    return path


def _without(tree: object, path: Sequence[str]) -> object:
    found = mapping(tree)
    if len(path) == 1:
        return {name: value for name, value in found.items() if name != path[0]}
    return {**found, path[0]: _without(found[path[0]], path[1:])}


def _span(text: str, path: Sequence[str]) -> tuple[int, int]:
    parent = _node_at(text, path[:-1])
    if parent is None or parent.flow_style:
        raise ValueError(f"{'.'.join(path)} stands in braces")
    for key, value in parent.value:
        if key.value == path[-1]:
            return key.start_mark.line, max(key.start_mark.line, _last_line(value))
    raise ValueError(f"{'.'.join(path)} is not in it")


def _last_line(node: yaml.Node) -> int:
    children = getattr(node, "value", None)
    if isinstance(children, list) and children and not getattr(node, "flow_style", True):
        parts = [part for child in children for part in _parts(child)]
        return max(_last_line(part) for part in parts)
    end = node.end_mark
    return int(end.line if end.column or not isinstance(children, str) else end.line - 1)


def _parts(child: yaml.Node | tuple[yaml.Node, yaml.Node]) -> Sequence[yaml.Node]:
    return child if isinstance(child, tuple) else (child,)


def _node_at(text: str, path: Sequence[str]) -> yaml.MappingNode | None:
    """The mapping there, with the places of its keys; None where there is no mapping."""
    import yaml

    node: yaml.Node | None = yaml.compose(text, Loader=_loader())
    for name in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == name), None)
    return node if isinstance(node, yaml.MappingNode) else None


def _own_value(block: str) -> object:
    import textwrap

    return next(iter(mapping(load(textwrap.dedent(block))).values()), None)


def _says_something(text: str) -> bool:
    """False where only netplan's frame is left."""
    return bool(set(mapping(value_at(load(text), ["network"]))) - {"version", "renderer"})
