"""Faults of links: each is a pair of functions from a rack and words to actions. Pure."""

from __future__ import annotations

from collections.abc import Callable

from sparkform.errors import InputError, Problem
from sparkrack import cabling
from sparkrack.fault_actions import (
    LASTING,
    UNTIL_REBOOT,
    Action,
    mark,
    run_in_shell,
    set_port,
    unmark,
)
from sparkrack.layout import SimulatedNode, SimulatedRack, find_node
from sparkrack.ports import Port, list_fabric_ports
from sparkrack.shape import check_rate

MTU_RANGE = range(68, 65536)  # what the kernel takes for a veth


def find_port(node: SimulatedNode, device: str) -> Port:
    """Raises InputError with the fabric ports that a Spark has."""
    for port in list_fabric_ports(node.index):
        if port.device == device:
            return port
    names = ", ".join(port.device for port in list_fabric_ports(node.index))
    raise InputError([Problem(path="IF", message="unknown fabric port", got=device, allowed=names)])


def parse_mtu(text: str) -> int:
    if text.isdecimal() and int(text) in MTU_RANGE:
        return int(text)
    allowed = f"{MTU_RANGE[0]} to {MTU_RANGE[-1]}"
    raise InputError([Problem(path="N", message="invalid MTU", got=text, allowed=allowed)])


def find_link_ends(
    rack: SimulatedRack, hostname: str, device: str
) -> list[tuple[SimulatedNode, Port]]:
    """A cable is dark at both ends; a switch keeps its other ports."""
    port = find_port(find_node(rack, hostname), device)
    ports = [port, *cabling.find_far_ends(rack.shape.build_segments(), port)]
    return [(rack.nodes[end.node - 1], end) for end in ports]


def change_link_state(
    rack: SimulatedRack, arguments: list[str], state: str, mark_command: Callable[[str, str], str]
) -> list[Action]:
    return [
        run_in_shell(
            node,
            f"{set_port(node, port.device, 'state', state)}"
            f" && {mark_command(LASTING, f'link-down-{port.device}')}",
        )
        for node, port in find_link_ends(rack, *arguments)
    ]


def break_link(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    return change_link_state(rack, arguments, "down", mark)


def mend_link(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    return change_link_state(rack, arguments, "up", unmark)


def break_mtu(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    """In the node, until it reboots; the first break remembers what was there."""
    hostname, device, value = arguments
    node, mtu = find_node(rack, hostname), parse_mtu(value)
    port = find_port(node, device)
    before = f"{UNTIL_REBOOT}/mtu-{port.device}"
    remember = (
        f"mkdir -p {UNTIL_REBOOT}; test -e {before} || cat /sys/class/net/{device}/mtu > {before}"
    )
    return [run_in_shell(node, f"{remember}; ip link set {device} mtu {mtu}")]


def mend_mtu(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    node = find_node(rack, arguments[0])
    port = find_port(node, arguments[1])
    before = f"{UNTIL_REBOOT}/mtu-{port.device}"
    back = f"ip link set {port.device} mtu $(cat {before})"
    return [run_in_shell(node, f"if test -e {before}; then {back}; rm {before}; fi")]


def change_all_ports(
    rack: SimulatedRack, key: str, value: object, mark_command: str
) -> list[Action]:
    return [
        run_in_shell(node, f"{set_port(node, 'all', key, value)} && {mark_command}")
        for node in rack.nodes
    ]


def break_switch_mtu(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    if not any(not segment.is_cable for segment in rack.shape.build_segments()):
        message = f"rack {rack.name} has no switch"
        raise InputError([Problem(path="mtu switch", message=message, got=str(rack.shape))])
    return change_all_ports(rack, "mtu", parse_mtu(arguments[0]), mark(LASTING, "switch-mtu"))


def mend_switch_mtu(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    return change_all_ports(rack, "mtu", None, unmark(LASTING, "switch-mtu"))


def break_rate(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    if problems := check_rate(arguments[0], "RATE"):
        raise InputError(problems)
    return change_all_ports(rack, "rate", arguments[0], mark(LASTING, "slow-link"))


def mend_rate(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    return change_all_ports(rack, "rate", rack.shape.rate, unmark(LASTING, "slow-link"))
