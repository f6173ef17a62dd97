"""Where nodes, switch and cables stand in the drawing of a rack. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.readings.measure import Unread
from sparkform.status.rack_status import CableStatus, RackStatus
from sparkform.status.wording import UNKNOWN, format_speed

WIDTH = 400
NODE_WIDTH, NODE_HEIGHT = 88, 46
ROW_HEIGHT, TOP = 96, 34
COLUMNS = 4
SWITCH = "switch"


@dataclass(frozen=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True)
class CableLine:
    """`state` is that of the cable, or unknown. `label` tells it in letters."""

    name: str
    start: Point
    end: Point
    state: str
    label: str

    @property
    def middle(self) -> Point:
        return Point((self.start.x + self.end.x) / 2, (self.start.y + self.end.y) / 2)


@dataclass(frozen=True)
class Drawing:
    """Centres of all boxes, by node; `switch` is None where there is none."""

    height: float
    places: Mapping[str, Point]
    switch: Point | None
    lines: tuple[CableLine, ...]


def build_drawing(status: RackStatus) -> Drawing:
    names = [node.name for node in status.nodes]
    rows = arrange(names, status.topology)
    places = {
        name: Point(_spread(column, len(row)), TOP + number * ROW_HEIGHT)
        for number, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    switch = places.pop(SWITCH, None)
    lines = tuple(build_line(cable, places, switch) for cable in status.cables)
    return Drawing(2 * TOP + (len(rows) - 1) * ROW_HEIGHT, places, switch, lines)


def arrange(names: Sequence[str], topology: str) -> list[Sequence[str]]:
    """Rows from above. A ring's first node stands above the others, a switch above its nodes, or
    between them where they need two rows."""
    if topology == "ring":
        return [names[:1], names[1:]]
    rows = [names[at : at + COLUMNS] for at in range(0, len(names), COLUMNS)]
    if topology != SWITCH:
        return rows
    return [[SWITCH], *rows] if len(rows) == 1 else [rows[0], [SWITCH], *rows[1:]]


def build_line(cable: CableStatus, places: Mapping[str, Point], switch: Point | None) -> CableLine:
    ends = [places[name] for name in cable.ends]
    if len(ends) == 1:
        ends.append(switch or ends[0])
    if isinstance(cable.state, Unread):
        return CableLine(cable.name, ends[0], ends[1], "unknown", UNKNOWN)
    label = format_speed(cable) or cable.state
    return CableLine(cable.name, ends[0], ends[1], cable.state, label)


def _spread(column: int, count: int) -> float:
    """The middle of a column, of `count` over the width."""
    return WIDTH * (2 * column + 1) / (2 * count)
