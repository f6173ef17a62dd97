"""The words in which faults are written: actions, marks, and who is meant. Pure.

A fault that a reboot of the node heals by itself leaves its mark under /run, the others under /etc:
`rack status` lists both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sparkrack import commands
from sparkrack.layout import SimulatedNode

LASTING = "/etc/rack/faults"
UNTIL_REBOOT = "/run/rack/faults"
PORTS_PROGRAM = "/usr/local/lib/rack/ports.py"
DISK_PROGRAM = "/usr/local/lib/rack/disk-full"


@dataclass(frozen=True)
class RunCommand:
    """A command on the machine under the rack."""

    argv: list[str]


@dataclass(frozen=True)
class Reboot:
    """`systemctl reboot` in the node; over when the next boot has begun."""

    node: SimulatedNode


@dataclass(frozen=True)
class Freeze:
    """All processes of the node stand still; tried again where the kernel has not stopped each in
    runc's time."""

    node: SimulatedNode


@dataclass(frozen=True)
class AwaitLogin:
    node: SimulatedNode


@dataclass(frozen=True)
class Darken:
    """Far ends of cables whose node lost its power."""

    ends: list[str]


Action = RunCommand | Reboot | Freeze | AwaitLogin | Darken


def run_in_shell(node: SimulatedNode, script: str) -> RunCommand:
    return RunCommand(commands.build_node_command(node, ["sh", "-ec", script]))


def mark(folder: str, name: str) -> str:
    return f"mkdir -p {folder} && touch {folder}/{name}"


def unmark(folder: str, name: str) -> str:
    return f"rm -f {folder}/{name}"


def set_port(node: SimulatedNode, device: str, key: str, value: object) -> str:
    return f"python3 -I {PORTS_PROGRAM} set {device} {key} '{json.dumps(value)}'"
