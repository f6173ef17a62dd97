"""Plugs a node into its rack's patch panel: runs in the node, before systemd and at each fault.

Each netdev of the node is one end of a veth pair. The other end lies in the panel, a network
namespace of the rack on the host, on the bridge that stands for the cable or the switch. A port
has a carrier when its end in the panel is up.

    ports.py plug | unplug | set DEVICE|all KEY JSON
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, cast

DOCUMENT = Path("/etc/rack/ports.json")
PANEL = "/var/lib/rack/panel"
STALE_PORTS_TIMEOUT_S = 10
WIDEST_MTU = 65535  # a panel end that never drops what its node may send
SETTINGS = ("state", "rate", "mtu")


class PortRecord(TypedDict):
    """A port of ports.json: its netdev, its end in the panel, the bridge there, and the ends that
    lose their carrier with it. `state` is up or down; `rate` is tc's."""

    device: str
    mac: str
    panel: str
    segment: str | None
    far: list[str]
    state: str
    rate: str | None
    mtu: int | None


def build_creation_lines(ports: Iterable[PortRecord]) -> list[str]:
    """`ip -batch` lines for the node's side."""
    return [
        f"link add {port['device']} address {port['mac']}"
        f" type veth peer name {port['panel']} netns {PANEL}"
        for port in ports
    ]


def is_lit(port: PortRecord, present: set[str]) -> bool:
    """Whether the port has a carrier: cabled, not broken, and a powered node at the far end."""
    cabled = port["segment"] is not None and port["state"] == "up"
    return cabled and all(far in present for far in port["far"])


def build_wiring_lines(ports: Iterable[PortRecord], present: set[str]) -> list[str]:
    """`ip -batch` lines for the panel; `present` names the ends that are in it."""
    lines: list[str] = []
    for port in ports:
        ends = [port["panel"], *(far for far in port["far"] if far in present)]
        lines += [f"link set {port['panel']} mtu {port['mtu'] or WIDEST_MTU}"]
        lines += [f"link set {port['panel']} master {port['segment']}"] if port["segment"] else []
        lines += [f"link set {end} {'up' if is_lit(port, present) else 'down'}" for end in ends]
    return lines


def build_shaping_lines(ports: Iterable[PortRecord], shaped: set[str]) -> list[str]:
    """`tc -batch` lines; `shaped` names the ends that have a TBF from before.

    The bucket holds 512 KiB, 4 ms at 1 Gbit/s: smaller ones cannot keep up with a coarse timer.
    """
    lines: list[str] = []
    for port in ports:
        if port["rate"]:
            lines += [
                f"qdisc replace dev {port['panel']} root tbf rate {port['rate']}"
                " burst 512kb latency 50ms"
            ]
        elif port["panel"] in shaped:
            lines += [f"qdisc del dev {port['panel']} root"]
    return lines


def run(argv: list[str], lines: list[str] | None = None) -> str:
    text = None if lines is None else "\n".join(lines) + "\n"
    return subprocess.run(argv, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def build_panel_command(*argv: str) -> list[str]:
    return ["nsenter", f"--net={PANEL}", *argv]


def list_panel_ends() -> set[str]:
    return {link["ifname"] for link in json.loads(run(build_panel_command("ip", "-json", "link")))}


def list_shaped_ends() -> set[str]:
    qdiscs = json.loads(run(build_panel_command("tc", "-json", "qdisc", "show")))
    return {qdisc["dev"] for qdisc in qdiscs if qdisc["kind"] == "tbf"}


def remove_stale(ports: list[PortRecord]) -> None:
    """After a reboot the kernel takes the old ends away in its own time."""
    node_ends = {port["panel"] for port in ports}
    deadline = time.monotonic() + STALE_PORTS_TIMEOUT_S
    while stale := node_ends & list_panel_ends():
        for end in stale:
            subprocess.run(build_panel_command("ip", "link", "del", end), stderr=subprocess.DEVNULL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{', '.join(sorted(stale))} of the last boot still in the panel")
        time.sleep(0.05)


@contextmanager
def lock_panel() -> Iterator[None]:
    """Nodes start together: none may switch off, by an old look, what another just switched on."""
    with open(PANEL) as panel:
        fcntl.flock(panel, fcntl.LOCK_EX)
        yield


def apply(ports: list[PortRecord]) -> None:
    with lock_panel():
        run(build_panel_command("ip", "-batch", "-"), build_wiring_lines(ports, list_panel_ends()))
        run(
            build_panel_command("tc", "-batch", "-"), build_shaping_lines(ports, list_shaped_ends())
        )


def plug(ports: list[PortRecord]) -> None:
    remove_stale(ports)
    run(["ip", "-batch", "-"], build_creation_lines(ports))
    apply(ports)


def unplug(ports: list[PortRecord]) -> None:
    """The far ends of cables lose their carrier when this node loses power."""
    with lock_panel():
        far = {end for port in ports for end in port["far"]} & list_panel_ends()
        run(
            build_panel_command("ip", "-batch", "-"),
            [f"link set {end} down" for end in sorted(far)],
        )


def change_setting(
    ports: list[PortRecord], device: str, key: str, value: object
) -> list[PortRecord]:
    if key not in SETTINGS:
        raise KeyError(f"a port has no setting {key}, only {', '.join(SETTINGS)}")
    fabric = [port for port in ports if port["device"] != "enP7s7"]
    chosen = [port["device"] for port in fabric if device in ("all", port["device"])]
    if not chosen:
        raise KeyError(f"no port is named {device}")
    return [
        cast(PortRecord, {**port, key: value}) if port["device"] in chosen else port
        for port in ports
    ]


def save(ports: list[PortRecord]) -> None:
    temporary = DOCUMENT.with_suffix(".new")
    temporary.write_text(json.dumps(ports, indent=1) + "\n")
    os.replace(temporary, DOCUMENT)


def main(arguments: list[str]) -> None:
    ports = json.loads(DOCUMENT.read_text())
    match arguments:
        case ["plug"]:
            plug(ports)
        case ["unplug"]:
            unplug(ports)
        case ["set", device, key, value]:
            ports = change_setting(ports, device, key, json.loads(value))
            save(ports)
            apply(ports)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
