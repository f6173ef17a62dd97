"""The patch panel of a rack on the host: a network namespace with one bridge for each wire."""

from __future__ import annotations

from sparkrack import commands
from sparkrack.host import ask, must
from sparkrack.layout import HOST_END, SimulatedRack, get_panel_name


def make(rack: SimulatedRack) -> None:
    must(["ip", "netns", "add", rack.panel])
    must(commands.build_panel_command(rack.panel, commands.build_panel_settings()))
    lines = "\n".join(commands.build_panel_lines(rack.shape)) + "\n"
    must(["ip", "-netns", rack.panel, "-batch", "-"], stdin=lines)
    for command in commands.build_host_leg(rack):
        must(command)


def remove(name: str) -> None:
    """Remove the panel with its wires. Idempotent.

    The host's leg goes first: the kernel takes the links of a namespace away in its own time.
    """
    ask(["ip", "-netns", get_panel_name(name), "link", "del", HOST_END])
    ask(["ip", "netns", "del", get_panel_name(name)])


def cut_carrier(rack: SimulatedRack, ends: list[str]) -> None:
    """Take the carrier from ends whose cable's other node has no power."""
    for end in ends:
        ask(["ip", "-netns", rack.panel, "link", "set", end, "down"])
