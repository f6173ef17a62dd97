"""Who runs a service: its nodes by rank, with the names that they have for their own interfaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from sparkform.config import EffectiveNode, Spec
from sparkform.errors import Problem
from sparkform.fabric.network import Documents, Network
from sparkform.report.facts import Interface


@dataclass(frozen=True, kw_only=True)
class Member:
    """One rank's node. `address` and `interface` are of the management network.

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


def members_of(
    spec: Spec, service: str, network: Network, documents: Documents
) -> tuple[tuple[Member, ...], list[Problem]]:
    """The members by rank, or what is missing for the ranks to find each other."""
    nodes = spec.service_nodes(service)
    there = [node for node in nodes if node.name in network.management and node.name in documents]
    problems = [_not_there(service, node) for node in nodes if node not in there]
    found = []
    for rank, node in enumerate(there):
        member = _member(node, rank, network, documents)
        found.append(member)
        if len(nodes) > 1:
            problems += _unreachable(node, member, network)
    return tuple(found), problems


def _member(node: EffectiveNode, rank: int, network: Network, documents: Documents) -> Member:
    interfaces = documents[node.name].facts.interfaces or ()
    address = network.management[node.name]
    by_name = {one.name: one for one in interfaces}
    used = sorted(network.fabric[node.name], key=lambda one: (one.planned.port, one.planned.half))
    planned = [by_name[one.name] for one in used if one.name in by_name]
    return Member(
        node=node.name,
        rank=rank,
        user=node.user,
        address=str(address.ip),
        interface=next((one.name for one in interfaces if _holds(one, address.ip)), ""),
        hcas=tuple(one.hca for one in planned if one.hca),
        model_directory=node.model_directory,
        cache_has_hub=not _is_bare_cache(node, documents),
    )


def _holds(interface: Interface, address: IPv4Address) -> bool:
    return any(IPv4Interface(text).ip == address for text in interface.addresses if ":" not in text)


def _is_bare_cache(node: EffectiveNode, documents: Documents) -> bool:
    """Whether models lie in `<directory>/models--owner--name`, without `hub/` in between."""
    models = documents[node.name].facts.models or ()
    start = f"{node.model_directory}/models--"
    return any(one.layout == "cache" and one.path.startswith(start) for one in models)


def cache_folder(node: EffectiveNode, documents: Documents) -> str:
    """The folder of the Hugging Face cache in a node's model directory."""
    bare = _is_bare_cache(node, documents)
    return node.model_directory if bare else f"{node.model_directory}/hub"


def _unreachable(node: EffectiveNode, member: Member, network: Network) -> Iterator[Problem]:
    at = f"cluster.nodes[{node.position}]"
    if not member.interface:
        yield Problem(
            path=f"{at}.managementAddress",
            what=f"is on no interface of {node.name}",
            got=member.address,
            because="the ranks of a service find each other through that interface",
            remedy="declare an address that `ip address` shows on the node",
        )
    used = [one.name for one in network.fabric[node.name]]
    if len(member.hcas) < max(len(used), 1):
        yield Problem(
            path=f"{at}.interfaces",
            what=f"{node.name} has no RoCE device for each fabric interface",
            got=f"{', '.join(member.hcas) or 'none'} for {', '.join(used) or 'no interface'}",
            because="NCCL takes a name that does not exist for no device and falls back to sockets",
            remedy="`ibdev2netdev` on the node lists them; an update or reboot may bring them back",
        )


def _not_there(service: str, node: EffectiveNode) -> Problem:
    return Problem(
        path=f"services.{service}.nodes",
        what=f"{node.name} was not observed",
        because="the names of its interfaces are needed to launch a rank on it",
        remedy="see that it answers, or take it out of the service",
    )
