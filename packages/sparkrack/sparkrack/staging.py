"""The files that make one node itself, laid out as they will lie in it."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from sparkrack import companions, shims
from sparkrack.keys import SshKeyPair
from sparkrack.layout import SimulatedNode, SimulatedRack, build_ports_document
from sparkrack.netplan import build_management_file
from sparkrack.shape import Renderer

HOSTS = "127.0.0.1 localhost\n127.0.1.1 {hostname}\n"
SECRET_MODE = 0o600
PUBLIC_MODE = 0o644


def build_node_files(
    node: SimulatedNode, rack: SimulatedRack, login: SshKeyPair, host_keys: dict[str, SshKeyPair]
) -> dict[str, tuple[str, int]]:
    """Path in the node -> text and mode. Decides everything but the machine id."""
    file_name, netplan = build_management_file(node, rack)
    files = {
        "etc/rack/ports.json": (
            json.dumps(build_ports_document(node, rack.shape), indent=1),
            PUBLIC_MODE,
        ),
        f"etc/netplan/{file_name}": (netplan, SECRET_MODE),
        "etc/machine-id": (uuid.uuid5(uuid.NAMESPACE_DNS, node.container).hex + "\n", PUBLIC_MODE),
        "etc/hostname": (f"{node.hostname}\n", PUBLIC_MODE),
        "etc/environment": (companions.build_environment(rack), PUBLIC_MODE),
        "etc/pip.conf": (companions.build_pip_settings(rack), PUBLIC_MODE),
        "etc/hosts": (HOSTS.format(hostname=node.hostname), PUBLIC_MODE),
        "etc/rack/login.pub": (login.public + "\n", PUBLIC_MODE),
    }
    for kind, key in host_keys.items():
        files[f"etc/ssh/ssh_host_{kind}_key"] = (key.private, SECRET_MODE)
        files[f"etc/ssh/ssh_host_{kind}_key.pub"] = (key.public + "\n", PUBLIC_MODE)
    for name, data in shims.build_defaults(node.index).items():
        files[f"etc/rack/{name}.json"] = (json.dumps(data, indent=1) + "\n", PUBLIC_MODE)
    return files


def list_masked_units(rack: SimulatedRack) -> list[str]:
    """What must not run under the renderer that was asked for. netplan starts networkd itself."""
    if rack.shape.renderer is Renderer.NETWORKD:
        return ["NetworkManager.service", "NetworkManager-wait-online.service"]
    return []


def write(folder: Path, files: dict[str, tuple[str, int]], masked: list[str]) -> None:
    for name, (text, mode) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
    units = folder / "etc/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    for unit in masked:
        (units / unit).symlink_to("/dev/null")
