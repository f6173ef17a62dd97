"""Faults of links: each is a pair of functions from a rack and words to actions. Pure."""

from __future__ import annotations

from collections.abc import Callable

from sparkform.errors import InputError, Problem
from sparkrack import cabling
from sparkrack.fault_actions import LASTING, UNTIL_REBOOT, Action, in_shell, mark, set_port, unmark
from sparkrack.layout import Node, Rack, node_named
from sparkrack.ports import Port, fabric_ports
from sparkrack.shape import rate_problems

MTU_RANGE = range(68, 65536)  # what the kernel takes for a veth


def port_named(node: Node, device: str) -> Port:
    """Raises InputError with the fabric ports that a Spark has."""
    for port in fabric_ports(node.index):
        if port.device == device:
            return port
    names = ", ".join(port.device for port in fabric_ports(node.index))
    raise InputError([Problem(path="IF", message="is no fabric port", got=device, allowed=names)])


def mtu_value(text: str) -> int:
    if text.isdecimal() and int(text) in MTU_RANGE:
        return int(text)
    allowed = f"{MTU_RANGE[0]} to {MTU_RANGE[-1]}"
    raise InputError([Problem(path="N", message="is not an MTU", got=text, allowed=allowed)])


def link_ends(rack: Rack, hostname: str, device: str) -> list[tuple[Node, Port]]:
    """A cable is dark at both ends; a switch keeps its other ports."""
    port = port_named(node_named(rack, hostname), device)
    ports = [port, *cabling.far_ends(rack.shape.segments(), port)]
    return [(rack.nodes[end.node - 1], end) for end in ports]


def link_state(
    rack: Rack, words: list[str], state: str, marking: Callable[[str, str], str]
) -> list[Action]:
    return [
        in_shell(
            node,
            f"{set_port(node, port.device, 'state', state)}"
            f" && {marking(LASTING, f'link-down-{port.device}')}",
        )
        for node, port in link_ends(rack, *words)
    ]


def break_link(rack: Rack, words: list[str]) -> list[Action]:
    return link_state(rack, words, "down", mark)


def mend_link(rack: Rack, words: list[str]) -> list[Action]:
    return link_state(rack, words, "up", unmark)


def break_mtu(rack: Rack, words: list[str]) -> list[Action]:
    """In the node, until it reboots; the first break remembers what was there."""
    hostname, device, value = words
    node, mtu = node_named(rack, hostname), mtu_value(value)
    port = port_named(node, device)
    before = f"{UNTIL_REBOOT}/mtu-{port.device}"
    remember = (
        f"mkdir -p {UNTIL_REBOOT}; test -e {before} || cat /sys/class/net/{device}/mtu > {before}"
    )
    return [in_shell(node, f"{remember}; ip link set {device} mtu {mtu}")]


def mend_mtu(rack: Rack, words: list[str]) -> list[Action]:
    node = node_named(rack, words[0])
    port = port_named(node, words[1])
    before = f"{UNTIL_REBOOT}/mtu-{port.device}"
    back = f"ip link set {port.device} mtu $(cat {before})"
    return [in_shell(node, f"if test -e {before}; then {back}; rm {before}; fi")]


def all_ports(rack: Rack, key: str, value: object, marking: str) -> list[Action]:
    return [
        in_shell(node, f"{set_port(node, 'all', key, value)} && {marking}") for node in rack.nodes
    ]


def break_switch_mtu(rack: Rack, words: list[str]) -> list[Action]:
    if not any(not segment.is_cable for segment in rack.shape.segments()):
        what = f"the rack {rack.name} has no switch"
        raise InputError([Problem(path="mtu switch", message=what, got=str(rack.shape))])
    return all_ports(rack, "mtu", mtu_value(words[0]), mark(LASTING, "switch-mtu"))


def mend_switch_mtu(rack: Rack, words: list[str]) -> list[Action]:
    return all_ports(rack, "mtu", None, unmark(LASTING, "switch-mtu"))


def break_rate(rack: Rack, words: list[str]) -> list[Action]:
    if found := rate_problems(words[0], "RATE"):
        raise InputError(found)
    return all_ports(rack, "rate", words[0], mark(LASTING, "slow-link"))


def mend_rate(rack: Rack, words: list[str]) -> list[Action]:
    return all_ports(rack, "rate", rack.shape.rate, unmark(LASTING, "slow-link"))
