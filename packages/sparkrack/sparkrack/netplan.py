"""The netplan files that a node has before anyone configures its fabric. Pure."""

from __future__ import annotations

import yaml

from sparkrack.layout import SimulatedNode, SimulatedRack
from sparkrack.ports import MANAGEMENT_DEVICE
from sparkrack.shape import Renderer

# Ubuntu's own file names: cloud-init's, and the desktop image's (DGX OS is one).
NETPLAN_NAMES = {Renderer.NETWORKD: "networkd", Renderer.NETWORK_MANAGER: "NetworkManager"}
MANAGEMENT_FILES = {
    Renderer.NETWORKD: "50-cloud-init.yaml",
    Renderer.NETWORK_MANAGER: "01-network-manager-all.yaml",
}


def build_management_file(node: SimulatedNode, rack: SimulatedRack) -> tuple[str, str]:
    """Name and text of the file for the management port: a static address and the default route."""
    renderer = rack.shape.renderer
    port = {
        "dhcp4": False,
        # No router advertises in a rack, and networkd would wait 14 s at boot for one.
        "accept-ra": False,
        "addresses": [f"{node.address}/{rack.subnet.prefixlen}"],
        "routes": [{"to": "default", "via": str(rack.host_address)}],
    }
    document = {
        "network": {
            "version": 2,
            "renderer": NETPLAN_NAMES[renderer],
            "ethernets": {MANAGEMENT_DEVICE: port},
        }
    }
    return MANAGEMENT_FILES[renderer], yaml.safe_dump(document, sort_keys=False)
