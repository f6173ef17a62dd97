"""The demo's rack drawn with letters: nodes, the cable, and the service's ranks on them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CABLE = "=== cable ==="


@dataclass(frozen=True)
class DrawnNode:
    """A node and the lines in its box."""

    name: str
    lines: tuple[str, ...]


def draw_pair(first: DrawnNode, second: DrawnNode, url: str | None) -> list[str]:
    """
    >>> nodes = [DrawnNode(f"spark-{n}", (f"10.87.0.1{n}",)) for n in (1, 2)]
    >>> print("\\n".join(draw_pair(*nodes, url=None)))
      +------------+             +------------+
      | spark-1    |=== cable ===| spark-2    |
      | 10.87.0.11 |             | 10.87.0.12 |
      +------------+             +------------+
    """
    boxes = [_draw_box(node, len(first.lines)) for node in (first, second)]
    gap = " " * len(CABLE)
    rows = [
        f"  {left}{CABLE if row == 1 else gap}{right}"
        for row, (left, right) in enumerate(zip(*boxes, strict=True))
    ]
    return [*rows, *([f"    ^ {url}"] if url else [])]


def _draw_box(node: DrawnNode, height: int) -> list[str]:
    texts: Sequence[str] = [node.name, *node.lines, *[""] * (height - len(node.lines))]
    width = max(map(len, texts))
    edge = f"+{'-' * (width + 2)}+"
    return [edge, *(f"| {text:{width}} |" for text in texts), edge]
