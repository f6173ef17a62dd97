"""Each half answers ARP for its own addresses alone, and asks with one of them.

Linux answers for any address of the machine on any of its links, and the two halves of a port hear
each other, so that a peer sends to one half what is meant for the other. Seen on a rack after
`ip neigh flush`: good cables were blamed in 6 of 6 checks, with these settings in none of 5 (Linux
kernel, Documentation/networking/ip-sysctl).
"""

from __future__ import annotations

from collections.abc import Iterable

from node.changes import file
from node.host.daemons import run_checked
from node.host.system import System
from node.state.manifest import Manifest

SYSCTL_FILE = "/etc/sysctl.d/60-sparkform-fabric.conf"
"""systemd sets these again for each interface that appears (sysctl.d(5))."""

HEADER = "# Written by sparkform; `pulumi up` puts it back, `pulumi destroy` removes it.\n"
VALUES = {"arp_ignore": "1", "arp_announce": "2"}


def list_loose(system: System, names: Iterable[str]) -> list[str]:
    """Those that answer for other interfaces too, now or after the next boot."""
    lines = (system.read(SYSCTL_FILE) or "").splitlines()
    return [
        name
        for name in names
        if any(
            _read_live(system, name, key) not in (None, value)
            or _format_line(name, key, value) not in lines
            for key, value in VALUES.items()
        )
    ]


def bind(manifest: Manifest, names: Iterable[str]) -> list[str]:
    """Set them, on the links that are there and for later ones."""
    system, names = manifest.system, sorted(names)
    lines = [_format_line(name, key, value) for name in names for key, value in VALUES.items()]
    file.ensure(manifest, SYSCTL_FILE, HEADER + "".join(f"{line}\n" for line in lines))
    for name in names:
        for key, value in VALUES.items():
            if _read_live(system, name, key) not in (None, value):
                run_checked(system, ["sysctl", "-q", "-w", f"{_get_path(name, key)}={value}"])
    return [f"ARP of {', '.join(names)} answers for own addresses alone"]


def _read_live(system: System, name: str, key: str) -> str | None:
    """None where the link is not there."""
    text = system.read(f"/proc/sys/{_get_path(name, key)}")
    return None if text is None else text.strip()


def _format_line(name: str, key: str, value: str) -> str:
    return f"{_get_path(name, key)} = {value}"


def _get_path(name: str, key: str) -> str:
    return f"net/ipv4/conf/{name}/{key}"
