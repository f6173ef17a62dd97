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
from node.host.system import CommandResult
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import SUCCESS

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
def _parse_netplan(text: str) -> Any:
    """A netplan file; whoever takes it changes nothing in it."""
    return yaml.load(text, LOADER) or {}


@dataclass
class FakeNetwork:
    """Links by name: mtu, up, carrier, addresses. `breaks`: apply sets nothing."""

    spark: FakeSpark
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    timers: list[str] = field(default_factory=list)
    breaks: bool = False
    # NetworkManager starts while netplan writes its files anew: until told to, it reads none.
    is_blind: bool = False

    def read_state(self) -> object:
        return [self.links, self.timers]

    def show(self, argv: list[str], stdin: str) -> CommandResult:
        return CommandResult(
            0, json.dumps([_render_ip_link(*pair) for pair in self.links.items()]), ""
        )

    def change_address(self, argv: list[str], stdin: str) -> CommandResult:
        _, _, verb, address, _, name = argv
        addresses = self.links[name]["addresses"]
        if (verb == "add") == (address in addresses):
            return CommandResult(2, "", "RTNETLINK answers: File exists")
        addresses.append(address) if verb == "add" else addresses.remove(address)
        return SUCCESS

    def change_link(self, argv: list[str], stdin: str) -> CommandResult:
        _, _, _, _, name, *setting = argv
        self.links[name] |= (
            {"mtu": int(setting[1])} if setting[0] == "mtu" else {"up": setting[0] == "up"}
        )
        return SUCCESS

    def generate(self, argv: list[str], stdin: str) -> CommandResult:
        try:
            self.merge_files()
        except yaml.YAMLError as error:
            return CommandResult(1, "", f"Invalid YAML: {error}")
        return SUCCESS

    def write_profiles(self) -> None:
        """NetworkManager's, as netplan writes them below /run."""
        for name in self.spark.system.list_names(MANAGER_FILES):
            self.spark.system.path(f"{MANAGER_FILES}/{name}").unlink()
        for name in self.merge_files():
            self.spark.system.put(f"{MANAGER_FILES}/netplan-{name}.nmconnection", "", 0o600)

    def apply(self, argv: list[str], stdin: str) -> CommandResult:
        self.write_profiles()
        for name, entry in self.merge_files().items():
            if name in self.links and not self.breaks:
                link = self.links[name]
                self.spark.system.put(_get_promote_path(name), "1\n")  # as networkd does
                link |= {"up": True, "mtu": entry.get("mtu", link["mtu"])}
                link["addresses"] += [
                    address
                    for address in entry.get("addresses", [])
                    if address not in link["addresses"]
                ]
        return SUCCESS

    def list_connections(self, argv: list[str], stdin: str) -> CommandResult:
        names = [] if self.is_blind else self.spark.system.list_names(MANAGER_FILES)
        return CommandResult(0, "".join(f"{MANAGER_FILES}/{name}\n" for name in names), "")

    def reload(self, argv: list[str], stdin: str) -> CommandResult:
        self.is_blind = False
        return SUCCESS

    def set_sysctl(self, argv: list[str], stdin: str) -> CommandResult:
        key, _, value = argv[-1].partition("=")
        self.spark.system.put(f"/proc/sys/{key}", f"{value}\n")
        return SUCCESS

    def merge_files(self) -> dict[str, dict[str, Any]]:
        """What all netplan files together say, a later file winning key by key."""
        entries: dict[str, dict[str, Any]] = {}
        for name in self.spark.system.list_names("/etc/netplan"):
            if name.endswith(".yaml"):
                tree = _parse_netplan(self.spark.system.read(f"/etc/netplan/{name}") or "")
                for link, entry in (tree["network"].get("ethernets") or {}).items():
                    entries.setdefault(link, {}).update(entry)
        return entries

    def start_timer(self, argv: list[str], stdin: str) -> CommandResult:
        name = argv[1].removeprefix("--unit=")
        if name in self.timers:
            return CommandResult(1, "", f"Unit {name}.timer was already loaded")
        self.timers.append(name)
        return SUCCESS

    def stop_timer(self, argv: list[str], stdin: str) -> CommandResult:
        name = argv[2].removesuffix(".timer")
        if name in self.timers:
            self.timers.remove(name)
        return SUCCESS


def add_network(spark: FakeSpark) -> FakeNetwork:
    """Give a fake Spark its links and the tools that change them."""
    down = {"up": False, "carrier": True, "mtu": 1500}
    network = FakeNetwork(spark)
    for name in (HALF_A, HALF_B, "enp1s0f1np1", "enP2p1s0f1np1"):
        network.links[name] = {**down, "addresses": []}
        spark.system.put(_get_promote_path(name), "0\n")
        for key in ("arp_ignore", "arp_announce"):
            spark.system.put(f"/proc/sys/net/ipv4/conf/{name}/{key}", "0\n")
    network.links["enP7s7"] = {**down, "up": True, "addresses": ["10.0.0.1/24"]}
    spark.system.put("/etc/netplan/01-management.yaml", MANAGEMENT, 0o600)
    network.write_profiles()
    spark.system.script.commands |= {
        ("ip", "-j", "address", "show"): network.show,
        ("ip", "address"): network.change_address,
        ("ip", "link", "set"): network.change_link,
        ("sysctl",): network.set_sysctl,
        ("netplan", "generate"): network.generate,
        ("netplan", "apply"): network.apply,
        ("systemctl", "start"): lambda argv, stdin: SUCCESS,
        ("nmcli", "-t"): network.list_connections,
        ("nmcli", "connection", "reload"): network.reload,
        ("systemd-run",): network.start_timer,
        ("systemctl", "stop"): network.stop_timer,
        ("systemctl", "reset-failed"): lambda argv, stdin: SUCCESS,
        ("systemctl", "daemon-reload"): lambda argv, stdin: SUCCESS,
    }
    spark.system.path("/etc/systemd/system/multi-user.target.wants").mkdir(parents=True)
    spark.extra_states.append(network.read_state)
    return network


def _get_promote_path(name: str) -> str:
    return f"/proc/sys/net/ipv4/conf/{name}/promote_secondaries"


def _render_ip_link(name: str, link: dict[str, Any]) -> dict[str, Any]:
    flags = [
        "BROADCAST",
        *(["UP"] if link["up"] else []),
        *(["LOWER_UP"] if link["carrier"] else []),
    ]
    pairs = [address.split("/") for address in link["addresses"]]
    info = [{"family": "inet", "local": a, "prefixlen": int(n)} for a, n in pairs]
    mac = f"02:00:00:00:00:{sum(map(ord, name)) % 256:02x}"
    return {"ifname": name, "flags": flags, "mtu": link["mtu"], "address": mac, "addr_info": info}
