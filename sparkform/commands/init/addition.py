"""A stack file that is there, with further nodes: the rest of it stays byte for byte. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from sparkform.commands.init.stack_text import NewNode, render_node
from sparkform.errors import InputError, Problem

CLUSTER = ("config", "sparkform:cluster")
Mark = yaml.nodes.Node


@dataclass(frozen=True)
class AddedNodes:
    """The nodes, the index of the first one, and the user of the rack."""

    nodes: Sequence[NewNode]
    first_index: int
    user: str


def add_nodes(text: str, added: AddedNodes, topology: str | None = None) -> str:
    """The nodes stand below the last one; with a `topology` that of the fabric is another. The text
    is that of a valid stack file. Raises InputError where it is written in another way."""
    document: Mark | None = yaml.compose(text, Loader=yaml.SafeLoader)
    nodes = _find(document, *CLUSTER, "nodes")
    if not isinstance(nodes, yaml.SequenceNode) or nodes.flow_style or not nodes.value:
        raise InputError([_refuse("cluster.nodes", "is not a list with a line for each node")])
    lines = text.splitlines(keepends=True)
    rendered = "".join(_render(added, _find_dash_column(lines, nodes.value[-1])))
    last = _find_last_line(nodes.value[-1])
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    lines.insert(last + 1, rendered)
    if topology is not None:
        _replace_topology(lines, document, topology, last)
    return "".join(lines)


def _render(added: AddedNodes, column: int) -> Iterator[str]:
    for position, node in enumerate(added.nodes):
        for line in render_node(node, added.first_index + position, added.user):
            yield f"{' ' * column}{line.removeprefix('      ')}\n"


def _find(node: Mark | None, *path: str) -> Mark | None:
    for key in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
    return node


def _find_dash_column(lines: Sequence[str], item: Mark) -> int:
    """Of the list's own dash, before the first key of an item."""
    return lines[item.start_mark.line].rindex("-", 0, item.start_mark.column)


def _find_last_line(node: Mark) -> int:
    """The last line with something of it; comments below it belong to what follows."""
    if isinstance(node, yaml.ScalarNode):
        is_block = node.style in ("|", ">")
        return int(node.end_mark.line) - (1 if is_block else 0)
    members = [
        part for pair in node.value for part in (pair if isinstance(pair, tuple) else [pair])
    ]
    return max([node.start_mark.line, *map(_find_last_line, members)])


def _replace_topology(lines: list[str], document: Mark | None, topology: str, last: int) -> None:
    value = _find(document, *CLUSTER, "fabric", "topology")
    if value is None:
        raise InputError([_refuse("cluster.fabric.topology", f"is missing; set it to {topology}")])
    line = value.start_mark.line + (1 if value.start_mark.line > last else 0)
    start, end = value.start_mark.column, value.end_mark.column
    lines[line] = f"{lines[line][:start]}{topology}{lines[line][end:]}"


def _refuse(path: str, message: str) -> Problem:
    return Problem(path=path, message=message, remedy="write the nodes into the file by hand")
