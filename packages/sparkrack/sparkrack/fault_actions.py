"""The words in which faults are written: actions, marks, and who is meant. Pure.

A fault that a reboot of the node heals by itself leaves its mark under /run, the others under /etc:
`rack status` lists both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sparkrack import commands
from sparkrack.layout import Node

LASTING = "/etc/rack/faults"
UNTIL_REBOOT = "/run/rack/faults"
PORTS_PROGRAM = "/usr/local/lib/rack/ports.py"
DISK_PROGRAM = "/usr/local/lib/rack/disk-full"


@dataclass(frozen=True)
class Run:
    """A command on the machine under the rack."""

    argv: list[str]


@dataclass(frozen=True)
class Reboot:
    """`systemctl reboot` in the node; over when the next boot has begun."""

    node: Node


@dataclass(frozen=True)
class AwaitLogin:
    node: Node


@dataclass(frozen=True)
class Darken:
    """Far ends of cables whose node lost its power."""

    ends: list[str]


Action = Run | Reboot | AwaitLogin | Darken


def in_shell(node: Node, script: str) -> Run:
    return Run(commands.in_node(node, ["sh", "-ec", script]))


def mark(place: str, name: str) -> str:
    return f"mkdir -p {place} && touch {place}/{name}"


def unmark(place: str, name: str) -> str:
    return f"rm -f {place}/{name}"


def set_port(node: Node, device: str, key: str, value: object) -> str:
    return f"python3 -I {PORTS_PROGRAM} set {device} {key} '{json.dumps(value)}'"
