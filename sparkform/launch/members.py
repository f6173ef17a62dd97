"""Who runs a service: its nodes by rank, with the names that they have for their own interfaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from sparkform.config import Declaration, EffectiveNode
from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.fabric.network import Network, Reports
from sparkform.report.facts import Interface

UNREAD = "unread"
"""In the place of a name that was not read: a service with it is held as it is."""


@dataclass(frozen=True, kw_only=True)
class ServiceMember:
    """One rank's node. `address` and `interface` are of the network of the control traffic.

    `hcas` are the RoCE devices of the node's fabric interfaces, in the order of ports and halves;
    empty where the service runs on one node. `cache_has_hub` tells whether the model directory
    holds a Hugging Face cache below `hub/` (the library's own way) or directly.
    """

    node: str
    rank: int
    user: str
    address: str
    interface: str
    hcas: tuple[str, ...]
    model_directory: str
    cache_has_hub: bool


def plan_members(
    declaration: Declaration, service: str, network: Network, reports: Reports
) -> tuple[tuple[ServiceMember, ...], list[Problem]]:
    """The members by rank, or what is missing for the ranks to find each other."""
    nodes = declaration.list_service_nodes(service)
    present = [node for node in nodes if node.name in network.management and node.name in reports]
    problems = [_build_missing_node_problem(service, node) for node in nodes if node not in present]
    members = []
    for rank, node in enumerate(present):
        is_on_fabric = len(nodes) > 1 and declaration.cluster.fabric.control_traffic == "fabric"
        member = _build_member(node, rank, network, reports, is_on_fabric)
        members.append(member)
        if len(nodes) > 1 and node.name not in network.unread:
            problems += _find_network_problems(node, member, network)
    return tuple(members), problems


def _build_member(
    node: EffectiveNode, rank: int, network: Network, reports: Reports, is_on_fabric: bool
) -> ServiceMember:
    interfaces = reports[node.name].facts.interfaces or ()
    address = network.management[node.name]
    by_name = {interface.name: interface for interface in interfaces}
    fabric_interfaces = sorted(
        network.fabric[node.name],
        key=lambda interface: (interface.planned.port, interface.planned.half),
    )
    fabric_facts = [
        by_name[interface.name] for interface in fabric_interfaces if interface.name in by_name
    ]
    interface_name = next(
        (interface.name for interface in interfaces if _has_address(interface, address.ip)), ""
    )
    hcas = tuple(interface.hca for interface in fabric_facts if interface.hca)
    if is_on_fabric and fabric_interfaces:
        half = fabric_interfaces[0]
        address, interface_name = half.planned.address, half.name
    if node.name in network.unread:
        interface_name, hcas = interface_name or UNREAD, (UNREAD,) * len(fabric_interfaces)
    return ServiceMember(
        node=node.name,
        rank=rank,
        user=node.user,
        address=str(address.ip),
        interface=interface_name,
        hcas=hcas,
        model_directory=node.model_directory,
        cache_has_hub=not _is_bare_cache(node, reports),
    )


def _has_address(interface: Interface, address: IPv4Address) -> bool:
    return any(IPv4Interface(text).ip == address for text in interface.addresses if ":" not in text)


def _is_bare_cache(node: EffectiveNode, reports: Reports) -> bool:
    """Whether models lie in `<directory>/models--owner--name`, without `hub/` in between."""
    models = reports[node.name].facts.models or ()
    start = f"{node.model_directory}/models--"
    return any(model.layout == "cache" and model.path.startswith(start) for model in models)


def get_cache_folder(node: EffectiveNode, reports: Reports) -> str:
    """The folder of the Hugging Face cache in a node's model directory."""
    is_bare = _is_bare_cache(node, reports)
    return node.model_directory if is_bare else f"{node.model_directory}/hub"


def _find_network_problems(
    node: EffectiveNode, member: ServiceMember, network: Network
) -> Iterator[Problem]:
    path = f"cluster.nodes[{node.position}]"
    if not member.interface:
        yield Problem(
            path=f"{path}.managementAddress",
            message=f"is on no interface of {node.name}",
            got=member.address,
            because="the ranks of a service find each other through that interface",
            remedy="declare an address that `ip address` shows on the node",
        )
    fabric_names = [interface.name for interface in network.fabric[node.name]]
    if len(member.hcas) < max(len(fabric_names), 1):
        yield Problem(
            path=f"{path}.interfaces",
            message=f"{node.name} has no RoCE device for each fabric interface",
            got=f"{', '.join(member.hcas) or 'none'} for "
            f"{', '.join(fabric_names) or 'no interface'}",
            because="NCCL takes a name that does not exist for no device and falls back to sockets",
            remedy="`ibdev2netdev` on the node lists them; an update or reboot may bring them back",
        )


def _build_missing_node_problem(service: str, node: EffectiveNode) -> Problem:
    return Problem(
        path=f"{format_service_path(service)}.nodes",
        message=f"{node.name} was not observed",
        because="the names of its interfaces are needed to launch a rank on it",
        remedy="see that it answers, or take it out of the service",
    )
