"""Which interface of which node gets which address, from declaration and facts. Pure.

A problem is a sentence for the user; a plan with problems is never carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface

from sparkform.config import Declaration, EffectiveNode
from sparkform.errors import Problem
from sparkform.fabric.addressing import FabricAddress, assign_addresses
from sparkform.fabric.management import find_management_address, list_addresses
from sparkform.fabric.port import PORTS, choose_port, find_unread_partner
from sparkform.fabric.recall import find_unread_network, recall_management, recall_names
from sparkform.fabric.topology import HALVES, Cable, Port, build_cables
from sparkform.report.facts import Interface, NodeReport
from sparkform.report.unknown import Unknown

Reports = Mapping[str, NodeReport]
CONNECTX_DRIVER = "mlx5_core"
HALF_DEVICES = ("rocep1s0f", "roceP2p1s0f")
"""RoCE devices of halves A and B, the port's number after them (connect-three-sparks)."""

CONNECTX_REMEDY = (
    "`lspci -d 15b3:` on the node lists what is there; plug the cable in, then reboot: the "
    "kernel's hot-plug driver takes an unplugged one off the bus (NVIDIA/NV-Kernels pull 271)"
)


@dataclass(frozen=True)
class FabricInterface:
    """A fabric address with the interface that carries it."""

    name: str
    planned: FabricAddress


@dataclass(frozen=True)
class Network:
    """The rack's cables, and what each node's interfaces should be. All by node name.

    `unread`: the nodes of which too little was read to plan their part. What is here of them is as
    it was last known: nothing may be changed for it.
    """

    cables: tuple[Cable, ...]
    fabric: Mapping[str, tuple[FabricInterface, ...]]
    management: Mapping[str, IPv4Interface]
    unread: Mapping[str, Unknown] = field(default_factory=dict)

    def find_unread(self, *nodes: str) -> Unknown | None:
        """The first thing that one of these nodes did not read of its network."""
        return next((self.unread[node] for node in nodes if node in self.unread), None)


def plan_network(declaration: Declaration, reports: Reports) -> tuple[Network, list[Problem]]:
    """Every node that is there; a node that is away keeps its place in cables and addresses."""
    by_index = sorted(declaration.nodes, key=lambda node: node.index)
    ports = {node.name: choose_port(node, reports) for node in declaration.nodes}
    rack_cables = build_cables(
        declaration.cluster.fabric.topology, [node.name for node in by_index], ports
    )
    addresses = assign_addresses(
        rack_cables,
        declaration.fabric_subnets,
        {node.name: node.index for node in declaration.nodes},
    )
    observed = [node for node in declaration.active_nodes if node.name in reports]
    problems: list[Problem] = []
    fabric = {}
    management = {}
    unread = _map_unread(observed, reports)
    for node in observed:
        planned = [address for address in addresses if address.node == node.name]
        names = map_interface_names(node, reports[node.name], ports[node.name])
        address = find_management_address(node, reports[node.name])
        if node.name in unread:
            names = recall_names(reports[node.name], planned) | names
            address = address or recall_management(node, reports[node.name])
        fabric[node.name] = tuple(
            FabricInterface(names[entry.port, entry.half], entry)
            for entry in planned
            if (entry.port, entry.half) in names
        )
        if address:
            management[node.name] = address
        if node.name not in unread:
            problems += _find_problems(node, reports[node.name], planned, fabric[node.name])
            problems += [] if address else [_report_unmanaged(node)]
    known = [node for node in observed if node.name in management and node.name not in unread]
    problems += _find_shared_addresses(known, management)
    problems += [
        _report_unobserved(node) for node in declaration.active_nodes if node.name not in reports
    ]
    return Network(rack_cables, fabric, management, unread), problems


def _map_unread(nodes: Iterable[EffectiveNode], reports: Reports) -> dict[str, Unknown]:
    unread = {}
    for node in nodes:
        unknown = find_unread_network(reports[node.name]) or find_unread_partner(node, reports)
        if unknown:
            unread[node.name] = unknown
    return unread


def _find_problems(
    node: EffectiveNode,
    report: NodeReport,
    planned: Iterable[FabricAddress],
    interfaces: tuple[FabricInterface, ...],
) -> Iterator[Problem]:
    present = {interface.planned for interface in interfaces}
    yield from (
        _report_missing_half(node, entry, report) for entry in planned if entry not in present
    )
    yield from _find_cut_logins(node, report, interfaces)
    yield from _find_bonded_halves(node, report, interfaces)


def map_interface_names(
    node: EffectiveNode, report: NodeReport, port_in_use: Port
) -> dict[tuple[int, str], str]:
    """(port, half) to interface: as declared for the used ports, else as the node reports."""
    if node.interfaces is not None:
        ports = PORTS if len(node.interfaces) > len(HALVES) else (port_in_use,)
        halves = [(port, half) for port in ports for half in HALVES]
        return dict(zip(halves, node.interfaces, strict=False))
    return {
        (interface.port, interface.half): interface.name
        for interface in report.facts.interfaces or ()
        if interface.port is not None and interface.half is not None
    }


def _find_shared_addresses(
    nodes: Iterable[EffectiveNode], management: Mapping[str, IPv4Interface]
) -> Iterator[Problem]:
    """A router may give machines of one image (one machine-id) one address."""
    first: dict[IPv4Address, str] = {}
    for node in nodes:
        address = management[node.name].ip
        first_node = first.setdefault(address, node.name)
        if first_node != node.name and node.management_address is None:
            yield Problem(
                path=f"cluster.nodes[{node.position}].managementAddress",
                message=f"{node.name} and {first_node} have the same management address",
                got=str(address),
                because="the nodes reach each other by it",
                remedy="`cat /etc/machine-id` on both: where it is the same, `sudo rm "
                "/etc/machine-id && sudo systemd-machine-id-setup && sudo reboot` on one",
            )


def _find_cut_logins(
    node: EffectiveNode, report: NodeReport, planned: Iterable[FabricInterface]
) -> Iterator[Problem]:
    """Whoever logs in over a half loses the connection when the half gets its address."""
    planned_addresses = {entry.name: str(entry.planned.address.ip) for entry in planned}
    for interface in report.facts.interfaces or ():
        if interface.name not in planned_addresses:
            continue
        addresses = [str(address.ip) for address in list_addresses(interface)]
        used = _find_login_address(node, report, planned_addresses[interface.name])
        if used in addresses:
            yield Problem(
                path=f"cluster.nodes[{node.position}].host",
                message=f"is an address of {interface.name}, a half of the fabric of {node.name}",
                got=used,
                because="setting up the fabric would cut the connection that does it",
                remedy="log in by Ethernet or Wi-Fi",
            )


def _find_login_address(node: EffectiveNode, report: NodeReport, planned: str) -> str | None:
    """The node's end of the login, whatever name it was reached by. One that stays is no matter."""
    login = report.facts.login
    reached = login.address if login else None
    return node.host if reached in (None, planned) else reached


def _find_bonded_halves(
    node: EffectiveNode, report: NodeReport, planned: Iterable[FabricInterface]
) -> Iterator[Problem]:
    """A port of a bond, bridge or virtual switch has no address of its own."""
    names = {interface.name for interface in planned}
    kinds = {interface.name: interface.kind for interface in report.facts.interfaces or ()}
    for interface in report.facts.interfaces or ():
        if interface.name in names and interface.master:
            yield Problem(
                path=f"cluster.nodes[{node.position}]",
                message=f"{interface.name} of {node.name} is a port of {interface.master}",
                because="each half of the fabric has an address of its own, and NCCL uses both",
                remedy=_format_release(interface.name, interface.master, kinds),
            )


def _format_release(half: str, master: str, kinds: Mapping[str, str | None]) -> str:
    if kinds.get(master) == "openvswitch":
        return f"`sudo ovs-vsctl del-port {half}`"
    return (
        f"`nmcli connection show` or /etc/netplan says what makes {master}: delete it; one made by "
        f"hand lets go by `sudo ip link set {half} nomaster`"
    )


def list_missing_halves(report: NodeReport) -> tuple[str, ...]:
    """The halves of the ConnectX-7 that are not on the bus; empty where interfaces are unknown, or
    where some have other names, which the stack file can tell."""
    interfaces = report.facts.interfaces
    if interfaces is None or any(_is_renamed(interface) for interface in interfaces):
        return ()
    present = {interface.half for interface in interfaces if interface.port is not None}
    return tuple(half for half in HALVES if half not in present)


def _is_renamed(interface: Interface) -> bool:
    is_connectx = interface.driver == CONNECTX_DRIVER or interface.hca is not None
    return interface.port is None and is_connectx


def _report_missing_half(node: EffectiveNode, entry: FabricAddress, report: NodeReport) -> Problem:
    path = f"cluster.nodes[{node.position}].interfaces"
    if entry.half in list_missing_halves(report):
        return Problem(
            path=path,
            message=f"half {entry.half} of the ConnectX-7 of {node.name} is not on its PCI bus",
            because=f"cable {entry.cable} needs both halves",
            remedy=CONNECTX_REMEDY,
        )
    return Problem(
        path=path,
        message=f"half {entry.half} of QSFP port {entry.port} of {node.name} was not found",
        because=f"cable {entry.cable} needs both halves",
        remedy=_format_renamed(report, entry.port)
        or "`ibdev2netdev` on the node lists its fabric interfaces; name them here",
    )


def _format_renamed(report: NodeReport, port: Port) -> str | None:
    """The halves of the port under other names: a RoCE device keeps its own."""
    by_hca = {interface.hca: interface.name for interface in report.facts.interfaces or ()}
    names = [by_hca.get(f"{device}{port}") for device in HALF_DEVICES]
    if None in names:
        return None
    return f"set `interfaces: [{', '.join(map(str, names))}]`, if these are their new names"


def _report_unobserved(node: EffectiveNode) -> Problem:
    return Problem(
        path=f"cluster.nodes[{node.position}]",
        message=f"{node.name} was not observed",
        remedy="observe it, or declare it with `away: true`",
    )


def _report_unmanaged(node: EffectiveNode) -> Problem:
    return Problem(
        path=f"cluster.nodes[{node.position}].managementAddress",
        message=f"{node.name} has no default route through a network that the nodes share, so its "
        "management address is not known",
        remedy="declare the address by which the other nodes reach it outside the fabric",
    )
