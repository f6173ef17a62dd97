"""By which address the nodes reach each other outside the fabric. Pure."""

from __future__ import annotations

from ipaddress import IPv4Interface

from sparkform.config import EffectiveNode
from sparkform.report.facts import Interface, NodeReport, Route

LOOPBACK = "lo"
CONTAINER_BRIDGES = ("docker", "br-", "virbr", "cni", "lxdbr", "podman")
"""Names that Docker, libvirt, CNI, LXD and Podman give to their bridges."""

VPN_KINDS = ("tun", "wireguard", "ppp", "vti", "gre")
"""Link kinds of `ip -d link` (ip-link(8))."""

VPN_NAMES = ("tailscale", "wg", "zt", "tun", "nebula", "nordlynx", "ppp")


def find_management_address(node: EffectiveNode, report: NodeReport) -> IPv4Interface | None:
    """The declared address; else the one behind the default route of the lowest metric, or the one
    of the login, on an interface that others of the network can reach."""
    if node.management_address:
        return IPv4Interface(node.management_address)
    interfaces = [
        interface
        for interface in report.facts.interfaces or ()
        if not (_is_half(interface, node) or _is_virtual(interface))
    ]
    defaults = [route for route in report.facts.routes or () if is_default_route(route)]
    for route in sorted(defaults, key=lambda route: route.metric or 0):
        matching = [interface for interface in interfaces if interface.name == route.interface]
        addresses = [address for interface in matching for address in list_addresses(interface)]
        chosen = [address for address in addresses if str(address.ip) == route.source]
        if chosen or addresses:
            return (chosen or addresses)[0]
    addresses = [address for interface in interfaces for address in list_addresses(interface)]
    return next((address for address in addresses if str(address.ip) == node.host), None)


def _is_half(interface: Interface, node: EffectiveNode) -> bool:
    """One that is set up as a half of the fabric: what it had before goes."""
    return interface.port is not None or interface.name in (node.interfaces or ())


def _is_virtual(interface: Interface) -> bool:
    """A VPN, or the network of this machine's containers: other nodes may not be in it."""
    is_bridge = interface.kind == "bridge" and interface.name.startswith(CONTAINER_BRIDGES)
    is_vpn = interface.kind in VPN_KINDS or interface.name.startswith(VPN_NAMES)
    return is_bridge or is_vpn or interface.name == LOOPBACK


def is_default_route(route: Route) -> bool:
    return route.destination == "default" and route.table == "main"


def list_addresses(interface: Interface) -> list[IPv4Interface]:
    """The IPv4 ones."""
    return [IPv4Interface(text) for text in interface.addresses if ":" not in text]
