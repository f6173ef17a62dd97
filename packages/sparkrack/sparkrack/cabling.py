"""Which ports are wired together: from a topology's name or from a written cabling. Pure.

A written cabling is a list of `END-END`, separated by commas or line ends, where an END is
`spark-N:PORT` (both halves), `spark-N:PORTa` or `spark-N:PORTb` (a half alone), or, second,
`switch`. Everything after `#` in a line is a comment.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkform.errors import Problem
from sparkrack.ports import HALVES, Port

SWITCH = "switch"
END = r"spark-(\d+):([01])([ab]?)"
PAIR = re.compile(rf"{END}-(?:{END}|{SWITCH})")
PAIR_FORM = "spark-N:PORT-spark-M:PORT or spark-N:PORT-switch, PORT being 0, 1, 0a, 0b, 1a or 1b"


@dataclass(frozen=True)
class Segment:
    """Ports that hear each other. A cable has two ends and loses its carrier with either."""

    name: str
    ports: tuple[Port, ...]

    @property
    def is_cable(self) -> bool:
        return self.name != SWITCH


def render_cabling(fabric: str, nodes: int) -> str:
    """The cabling of NVIDIA's playbooks for a topology, in the written form."""
    match fabric:
        case "direct":
            return "spark-1:0-spark-2:0"
        case "ring":
            ring = range(1, nodes + 1)
            return ",".join(f"spark-{n}:0-spark-{n % nodes + 1}:1" for n in ring)
        case "switch":
            return ",".join(f"spark-{n}:0-{SWITCH}" for n in range(1, nodes + 1))
        case _:
            return ""


def split_pairs(text: str) -> list[str]:
    lines = (line.split("#")[0] for line in text.splitlines())
    return [pair for line in lines for pair in re.split(r"[,\s]+", line) if pair]


def parse_pair(pair: str) -> list[list[Port]]:
    """One list for each segment that the pair makes: two for whole ports, one for a half.

    Raises ValueError where the pair is not of the form.
    """
    match = PAIR.fullmatch(pair)
    if match is None:
        raise ValueError(pair)
    node, qsfp, half, *far_end = match.groups()
    if far_end[0] is None:
        return [[Port(int(node), int(qsfp), side)] for side in half or HALVES]
    if half != far_end[2]:
        raise ValueError(pair)
    return [
        [Port(int(node), int(qsfp), side), Port(int(far_end[0]), int(far_end[1]), side)]
        for side in half or HALVES
    ]


def build_segments(text: str) -> list[Segment]:
    """Segments of a cabling that `check_cabling` accepts."""
    wired = [(pair, ports) for pair in split_pairs(text) for ports in parse_pair(pair)]
    cables = [tuple(ports) for pair, ports in wired if not pair.endswith(SWITCH)]
    switched = [port for pair, ports in wired if pair.endswith(SWITCH) for port in ports]
    cable_segments = [Segment(f"cable{index}", ports) for index, ports in enumerate(cables)]
    return [*cable_segments, Segment(SWITCH, tuple(switched))] if switched else cable_segments


def find_far_ends(wired: Iterable[Segment], port: Port) -> list[Port]:
    """The ports that lose their carrier together with this one: the other end of its cable."""
    return [
        far_port
        for segment in wired
        if segment.is_cable and port in segment.ports
        for far_port in segment.ports
        if far_port != port
    ]


def find_segment(wired: Iterable[Segment], port: Port) -> Segment | None:
    return next((segment for segment in wired if port in segment.ports), None)


def _check_syntax(pair: str) -> Problem | None:
    try:
        parse_pair(pair)
    except ValueError:
        return Problem(path="--cabling", message="invalid cable", got=pair, allowed=PAIR_FORM)
    return None


def _check_ports(ports: Sequence[Port], nodes: int) -> list[Problem]:
    unknown_nodes = sorted({port.node for port in ports if not 1 <= port.node <= nodes})
    reused_ports = sorted(port for port, count in Counter(ports).items() if count > 1)
    return [
        Problem(
            path="--cabling",
            message="unknown node",
            got=f"spark-{node}",
            allowed=f"spark-1 to spark-{nodes}",
        )
        for node in unknown_nodes
    ] + [
        Problem(
            path="--cabling",
            message="port used twice",
            got=str(port),
            because="a QSFP port takes one cable",
        )
        for port in reused_ports
    ]


def check_cabling(text: str, nodes: int) -> list[Problem]:
    """All problems of a written cabling."""
    syntax_problems = [problem for pair in split_pairs(text) if (problem := _check_syntax(pair))]
    if syntax_problems:
        return syntax_problems
    return _check_ports(
        [p for pair in split_pairs(text) for ends in parse_pair(pair) for p in ends], nodes
    )
