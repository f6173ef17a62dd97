"""The shape of a rack as the user asks for it, and its checks. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum

from sparkform.errors import Problem
from sparkrack import cabling as wires

NAME_FORM = re.compile(r"[a-z][a-z0-9-]{0,15}")
RATE_FORM = re.compile(r"[1-9][0-9]*(kbit|mbit|gbit)")
MOST_NODES = 8  # what a stack file may declare (design: cluster.nodes, 1 to 8)


class RackFabric(StrEnum):
    DIRECT = "direct"
    RING = "ring"
    SWITCH = "switch"
    NONE = "none"


class Renderer(StrEnum):
    NETWORKD = "networkd"
    NETWORK_MANAGER = "networkmanager"


NODE_COUNTS = {
    RackFabric.DIRECT: range(2, 3),
    RackFabric.RING: range(3, 4),
    RackFabric.SWITCH: range(2, MOST_NODES + 1),
    RackFabric.NONE: range(1, MOST_NODES + 1),
}


@dataclass(frozen=True)
class RackShape:
    """Complete description of a rack: stored in container labels, compared on a second `up`."""

    nodes: int
    fabric: RackFabric
    renderer: Renderer = Renderer.NETWORK_MANAGER
    rate: str | None = None
    cabling: str | None = None

    @property
    def cable_text(self) -> str:
        """The written cabling: the user's own, or that of the topology."""
        return self.cabling or wires.render_cabling(self.fabric, self.nodes)

    def build_segments(self) -> list[wires.Segment]:
        return wires.build_segments(self.cable_text)

    def to_label(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_label(cls, text: str) -> RackShape:
        stored = json.loads(text)
        return cls(
            nodes=stored["nodes"],
            fabric=RackFabric(stored["fabric"]),
            renderer=Renderer(stored["renderer"]),
            rate=stored["rate"],
            cabling=stored["cabling"],
        )

    def __str__(self) -> str:
        nodes = f"{self.nodes} node{'s' if self.nodes > 1 else ''}"
        extras = [f"at {self.rate}"] if self.rate else []
        extras += ["with its own cabling"] if self.cabling else []
        return " ".join([f"{nodes}, {self.fabric}, {self.renderer}", *extras])


def check_rate(rate: str, path: str) -> list[Problem]:
    if RATE_FORM.fullmatch(rate):
        return []
    return [
        Problem(
            path=path,
            message="invalid link rate",
            got=rate,
            allowed="a whole number of kbit, mbit or gbit, as 1gbit",
        )
    ]


def _check_count(shape: RackShape) -> Problem | None:
    allowed = NODE_COUNTS[shape.fabric]
    if shape.nodes in allowed:
        return None
    return Problem(
        path="--nodes",
        message=f"does not fit the fabric {shape.fabric}",
        got=str(shape.nodes),
        allowed=" to ".join(sorted({str(allowed[0]), str(allowed[-1])}, key=int)),
    )


def check_name(name: str) -> list[Problem]:
    if NAME_FORM.fullmatch(name):
        return []
    allowed = "a small letter, then at most 15 small letters, digits or hyphens"
    return [Problem(path="--name", message="invalid rack name", got=name, allowed=allowed)]


def check_shape(shape: RackShape) -> list[Problem]:
    """All problems of a shape."""
    count = _check_count(shape)
    return [
        *([count] if count else []),
        *(check_rate(shape.rate, "--rate") if shape.rate is not None else []),
        *(wires.check_cabling(shape.cabling, shape.nodes) if shape.cabling is not None else []),
    ]


def get_default_nodes(fabric: RackFabric) -> int:
    """The smallest rack of a topology."""
    return NODE_COUNTS[fabric][0]
