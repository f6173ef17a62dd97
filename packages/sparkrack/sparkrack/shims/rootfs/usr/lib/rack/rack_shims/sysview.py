"""Puts RoCE devices, DMI data and link speeds in front of the kernel's own /sys.

/sys/class becomes a tmpfs in which every real class is bound, beside `infiniband` and `dmi`. The
entries of those two are links to a folder outside /sys: libsystemd then knows that they are no
kernel devices and leaves them alone (docs/design/simulated-rack.md).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from . import gids, hca, machine, node
from .links import NetworkInterface

STATE = "/run/rack-shims"
OWN_CLASSES = ("infiniband", "dmi")


def mount() -> None:
    """Lay the view over /sys/class in one step; a second call changes nothing.

    A program that copies the mounts when it starts, as NetworkManager does, then has the kernel's
    classes or the view, and never a part of them.
    """
    classes = node.resolve_path("/sys/class")
    if (classes / OWN_CLASSES[0]).exists():
        return
    staged = node.resolve_path(f"{STATE}/class")
    staged.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", "mode=755,size=1m", "rack-shims", str(staged))
    for name in OWN_CLASSES:
        (staged / name).mkdir()
    for real in sorted(classes.iterdir()):
        if real.name not in OWN_CLASSES and real.is_dir():
            (staged / real.name).mkdir()
            _mount("--bind", str(real), str(staged / real.name))
    _mount("--move", str(staged), str(classes))


def write(data: dict[str, Any], system: dict[str, Any], present: dict[str, NetworkInterface],
          tables: dict[str, gids.Table]) -> None:  # fmt: skip
    """Bring every file of the view to the data, the links and the GID tables."""
    interfaces = {name: entry["interface"] for name, entry in data["devices"].items()}
    macs = {
        name: present[interface].mac if interface in present else "00:00:00:00:00:00"
        for name, interface in interfaces.items()
    }
    for name, interface in interfaces.items():
        link = present.get(interface)
        files = hca.build_device_files(data, name, macs) | hca.build_port_files(
            data, link, tables.get(name, {})
        )
        _write_device(data, name, link, files)
        if link is not None:
            _show_speed(link.name, hca.format_speed(data, link))
    folder = node.resolve_path(f"{STATE}/devices/dmi/id")
    for name, text in machine.build_dmi(system).items():
        write_if_changed(folder / name, text + "\n")
    _link(node.resolve_path("/sys/class/dmi/id"), folder)
    write_if_changed(node.resolve_path("/etc/dgx-release"), machine.render_dgx_release(system))


def make_device_files(documents: dict[str, dict[str, list[int]]]) -> None:
    """The device files of a GPU and of four RoCE devices; nothing stands behind them."""
    for group in documents.values():
        for name, (major, minor) in group.items():
            path = node.resolve_path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                os.mknod(path, 0o020666, os.makedev(major, minor))
                path.chmod(0o666)


def write_if_changed(path: Path, text: str) -> None:
    """Write a file if its text differs; a reader sees the old text or the new one."""
    try:
        if path.read_text() == text:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.new")
    staged.write_text(text)
    staged.rename(path)


def _write_device(
    data: dict[str, Any], name: str, link: NetworkInterface | None, files: dict[str, str]
) -> None:
    pci = node.resolve_path(f"{STATE}/devices") / data["devices"][name]["pci"]
    device = pci / "infiniband" / name
    for path, text in files.items():
        write_if_changed(device / path, text + "\n")
    for kind in ("types", "ndevs"):
        folder = device / "ports/1/gid_attrs" / kind
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.iterdir():
            if f"ports/1/gid_attrs/{kind}/{stale.name}" not in files:
                stale.unlink()
    write_if_changed(pci / "vendor", data["pci_vendor"] + "\n")
    write_if_changed(pci / "device", data["pci_device"] + "\n")
    _link(device / "device", pci)
    net = pci / "net"
    if net.exists() and link is None:
        shutil.rmtree(net)
    if link is not None:
        _link(net / link.name, node.resolve_path(f"/sys/class/net/{link.name}"))
    _link(node.resolve_path("/sys/class/infiniband") / name, device)


def _show_speed(interface: str, text: str) -> None:
    """Bind a file over /sys/class/net/IF/speed: a veth says 10000 whatever the cable is."""
    speed_file = node.resolve_path(f"{STATE}/speed/{interface}")
    speed_file.parent.mkdir(parents=True, exist_ok=True)
    speed_file.write_text(text + "\n")
    real = node.resolve_path(f"/sys/class/net/{interface}/speed")
    if real.exists() and not os.path.samestat(real.stat(), speed_file.stat()):
        _mount("--bind", str(speed_file), str(real.resolve()))


def _link(path: Path, target: Path) -> None:
    if not path.is_symlink():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=10)
