"""Simulated racks for tests: a handle on one that is up, and what tests ask of it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

import yaml

from sparkrack import breakage, inventory, lifecycle, login
from sparkrack.cabling import Segment
from sparkrack.layout import SimulatedNode, SimulatedRack, find_node
from sparkrack.netplan import NETPLAN_NAMES
from sparkrack.ports import Port
from sparkrack.shape import RackShape

JUMBO_PAYLOAD = 8972  # a frame of MTU 9000 without 20 bytes of IP and 8 of ICMP


@dataclass(frozen=True)
class RackHandle:
    """A rack that is up. `ask` and `must` go through SSH, as the product does."""

    rack: SimulatedRack

    @property
    def hosts(self) -> list[str]:
        return [node.hostname for node in self.rack.nodes]

    def find_node(self, hostname: str) -> SimulatedNode:
        return find_node(self.rack, hostname)

    def ask(
        self, hostname: str, script: str, stdin: str = "", timeout_s: float = 90
    ) -> subprocess.CompletedProcess[str]:
        argv = login.build_ssh_command(self.rack.name, self.find_node(hostname), [script])
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout_s)

    def must(self, hostname: str, script: str, stdin: str = "") -> str:
        answer = self.ask(hostname, script, stdin)
        assert answer.returncode == 0, f"{hostname}: {script}: {answer.stdout}{answer.stderr}"
        return answer.stdout

    def break_(self, fault: str, *arguments: str) -> None:
        breakage.break_it(*inventory.find_rack(self.rack.name), fault, list(arguments))

    def mend(self, fault: str, *arguments: str) -> None:
        breakage.mend_it(*inventory.find_rack(self.rack.name), fault, list(arguments))

    def read_links(self, hostname: str) -> dict[str, set[str]]:
        """Device -> flags, as LOWER_UP (carrier) or NO-CARRIER."""
        links = json.loads(self.must(hostname, "ip -json link"))
        return {link["ifname"]: set(link["flags"]) for link in links}

    def read_mtu(self, hostname: str, device: str) -> int:
        return int(self.must(hostname, f"cat /sys/class/net/{device}/mtu"))

    def read_addresses(self, hostname: str, device: str) -> list[str]:
        entries = json.loads(self.must(hostname, f"ip -json address show dev {device}"))
        infos = [info for entry in entries for info in entry["addr_info"]]
        return [info["local"] for info in infos if info["family"] == "inet"]

    def configure_fabric(self, mtu: int = 9000) -> None:
        """Write and apply one netplan file on each node, as an operator would."""
        for node in self.rack.nodes:
            text = yaml.safe_dump(build_fabric_netplan(self.rack, node, mtu))
            target = "/etc/netplan/60-fabric.yaml"
            self.must(node.hostname, f"sudo install -m 0600 /dev/stdin {target}", text)
            self.must(node.hostname, "sudo netplan apply")

    def ping(self, port: Port, far: Port, payload: int = JUMBO_PAYLOAD) -> bool:
        """Whether one whole frame of that size passes; waits for an address that is on its way."""
        target = compute_address(self.rack, far)
        script = f"ping -M do -s {payload} -c 1 -w 10 -i 0.2 -I {port.device} {target}"
        return self.ask(f"spark-{port.node}", script).returncode == 0


def start(name: str, shape: RackShape) -> RackHandle:
    return RackHandle(lifecycle.bring_up(name, shape, print))


def list_wired_pairs(rack: SimulatedRack) -> list[tuple[Port, Port]]:
    """Every two ports that must hear each other: cable ends, and like halves behind a switch."""
    return [
        (first, second)
        for segment in rack.shape.build_segments()
        for first in segment.ports
        for second in segment.ports
        if first < second and first.half == second.half
    ]


def compute_subnet_number(segments: list[Segment], port: Port) -> int:
    """A subnet for each cable half; two behind a switch, one for each half."""
    (index,) = [i for i, segment in enumerate(segments) if port in segment.ports]
    return index if segments[index].is_cable else index + "ab".index(port.half)


def compute_address(rack: SimulatedRack, port: Port) -> str:
    return (
        f"192.168.{100 + compute_subnet_number(rack.shape.build_segments(), port)}.{10 + port.node}"
    )


def build_fabric_netplan(rack: SimulatedRack, node: SimulatedNode, mtu: int) -> dict[str, object]:
    cabled = [port for segment in rack.shape.build_segments() for port in segment.ports]
    ethernets = {
        port.device: {
            "dhcp4": False,
            "link-local": [],
            "optional": True,
            "mtu": mtu,
            "addresses": [f"{compute_address(rack, port)}/24"],
        }
        for port in cabled
        if port.node == node.index
    }
    renderer = NETPLAN_NAMES[rack.shape.renderer]
    return {"network": {"version": 2, "renderer": renderer, "ethernets": ethernets}}
