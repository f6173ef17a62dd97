"""The network of a fake Spark: `ip`, `netplan`, `sysctl` and the timer, over links kept in memory.

Like networkd, a renderer here sets what a file asks for and takes nothing back when it no longer
does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from node.host.netplan_renderer import MANAGER_FILES
from node.host.system import Result
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import FINE

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HALF_A, HALF_B = "enp1s0f0np0", "enP2p1s0f0np0"
MANAGEMENT = "network:\n  version: 2\n  ethernets:\n    enP7s7:\n      addresses: [10.0.0.1/24]\n"
OTHER_TOOL = """# the playbook wrote this
network:
  version: 2
  ethernets:
    enp1s0f0np0:  # half A
      dhcp4: no
      addresses:
        - 192.168.77.10/24
    enp1s0f1np1:
      dhcp4: no
"""


@cache
def _tree(text: str) -> Any:
    """A netplan file; whoever takes it changes nothing in it."""
    return yaml.load(text, LOADER) or {}


@dataclass
class FakeNetwork:
    """Links by name: mtu, up, carrier, addresses. `breaks`: apply sets nothing."""

    one: FakeSpark
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    timers: list[str] = field(default_factory=list)
    breaks: bool = False
    # NetworkManager starts while netplan writes its files anew: until told to, it reads none.
    is_blind: bool = False

    def state(self) -> object:
        return [self.links, self.timers]

    def show(self, argv: list[str], stdin: str) -> Result:
        return Result(0, json.dumps([_as_ip_says(*pair) for pair in self.links.items()]), "")

    def address(self, argv: list[str], stdin: str) -> Result:
        _, _, verb, address, _, name = argv
        there = self.links[name]["addresses"]
        if (verb == "add") == (address in there):
            return Result(2, "", "RTNETLINK answers: File exists")
        there.append(address) if verb == "add" else there.remove(address)
        return FINE

    def link(self, argv: list[str], stdin: str) -> Result:
        _, _, _, _, name, *rest = argv
        self.links[name] |= {"mtu": int(rest[1])} if rest[0] == "mtu" else {"up": rest[0] == "up"}
        return FINE

    def generate(self, argv: list[str], stdin: str) -> Result:
        try:
            self.merged()
        except yaml.YAMLError as error:
            return Result(1, "", f"Invalid YAML: {error}")
        return FINE

    def write_profiles(self) -> None:
        """NetworkManager's, as netplan writes them below /run."""
        for name in self.one.system.names(MANAGER_FILES):
            self.one.system.path(f"{MANAGER_FILES}/{name}").unlink()
        for name in self.merged():
            self.one.system.put(f"{MANAGER_FILES}/netplan-{name}.nmconnection", "", 0o600)

    def apply(self, argv: list[str], stdin: str) -> Result:
        self.write_profiles()
        for name, entry in self.merged().items():
            if name in self.links and not self.breaks:
                found = self.links[name]
                self.one.system.put(_promoting(name), "1\n")  # as networkd does
                found |= {"up": True, "mtu": entry.get("mtu", found["mtu"])}
                found["addresses"] += [
                    one for one in entry.get("addresses", []) if one not in found["addresses"]
                ]
        return FINE

    def connections(self, argv: list[str], stdin: str) -> Result:
        names = [] if self.is_blind else self.one.system.names(MANAGER_FILES)
        return Result(0, "".join(f"{MANAGER_FILES}/{name}\n" for name in names), "")

    def reload(self, argv: list[str], stdin: str) -> Result:
        self.is_blind = False
        return FINE

    def sysctl(self, argv: list[str], stdin: str) -> Result:
        key, _, value = argv[-1].partition("=")
        self.one.system.put(f"/proc/sys/{key}", f"{value}\n")
        return FINE

    def merged(self) -> dict[str, dict[str, Any]]:
        """What all netplan files together say, a later file winning key by key."""
        found: dict[str, dict[str, Any]] = {}
        for name in self.one.system.names("/etc/netplan"):
            if name.endswith(".yaml"):
                tree = _tree(self.one.system.read(f"/etc/netplan/{name}") or "")
                for link, entry in (tree["network"].get("ethernets") or {}).items():
                    found.setdefault(link, {}).update(entry)
        return found

    def start_timer(self, argv: list[str], stdin: str) -> Result:
        name = argv[1].removeprefix("--unit=")
        if name in self.timers:
            return Result(1, "", f"Unit {name}.timer was already loaded")
        self.timers.append(name)
        return FINE

    def stop_timer(self, argv: list[str], stdin: str) -> Result:
        name = argv[2].removesuffix(".timer")
        if name in self.timers:
            self.timers.remove(name)
        return FINE


def networked(one: FakeSpark) -> FakeNetwork:
    """Give a fake Spark its links and the tools that change them."""
    down = {"up": False, "carrier": True, "mtu": 1500}
    network = FakeNetwork(one)
    for name in (HALF_A, HALF_B, "enp1s0f1np1", "enP2p1s0f1np1"):
        network.links[name] = {**down, "addresses": []}
        one.system.put(_promoting(name), "0\n")
    network.links["enP7s7"] = {**down, "up": True, "addresses": ["10.0.0.1/24"]}
    one.system.put("/etc/netplan/01-management.yaml", MANAGEMENT, 0o600)
    network.write_profiles()
    one.system.script.commands |= {
        ("ip", "-j", "address", "show"): network.show,
        ("ip", "address"): network.address,
        ("ip", "link", "set"): network.link,
        ("sysctl",): network.sysctl,
        ("netplan", "generate"): network.generate,
        ("netplan", "apply"): network.apply,
        ("systemctl", "start"): lambda argv, stdin: FINE,
        ("nmcli", "-t"): network.connections,
        ("nmcli", "connection", "reload"): network.reload,
        ("systemd-run",): network.start_timer,
        ("systemctl", "stop"): network.stop_timer,
        ("systemctl", "reset-failed"): lambda argv, stdin: FINE,
        ("systemctl", "daemon-reload"): lambda argv, stdin: FINE,
    }
    one.system.path("/etc/systemd/system/multi-user.target.wants").mkdir(parents=True)
    one.extra.append(network.state)
    return network


def _promoting(name: str) -> str:
    return f"/proc/sys/net/ipv4/conf/{name}/promote_secondaries"


def _as_ip_says(name: str, one: dict[str, Any]) -> dict[str, Any]:
    flags = ["BROADCAST", *(["UP"] if one["up"] else []), *(["LOWER_UP"] if one["carrier"] else [])]
    pairs = [address.split("/") for address in one["addresses"]]
    info = [{"family": "inet", "local": a, "prefixlen": int(n)} for a, n in pairs]
    mac = f"02:00:00:00:00:{sum(map(ord, name)) % 256:02x}"
    return {"ifname": name, "flags": flags, "mtu": one["mtu"], "address": mac, "addr_info": info}
