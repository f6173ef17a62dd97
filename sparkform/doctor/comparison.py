"""The nodes beside each other: what must differ between them, and what must not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sparkform.config import Declaration
from sparkform.doctor.check import Check
from sparkform.doctor.machine import CLOCK_WARN_S, KIB_PER_GIB
from sparkform.fabric.network import Network
from sparkform.report.facts import Facts, LoginFacts
from sparkform.report.rack_report import Observation

MEMORY_STEP_GIB = 8
UPDATE = "bring all to the newest: `sudo apt update && sudo apt dist-upgrade && sudo reboot`"
VERSIONS: Mapping[str, Callable[[Facts], str | None]] = {
    "driver": lambda facts: facts.gpu.driver if facts.gpu else None,
    "kernel": lambda facts: facts.host.kernel if facts.host else None,
    "dgx os": lambda facts: facts.host.dgx_os if facts.host else None,
    "os": lambda facts: facts.host.os_version if facts.host else None,
    "docker": lambda facts: facts.docker.version if facts.docker else None,
    "container toolkit": lambda facts: (
        facts.container_toolkit.version if facts.container_toolkit else None
    ),
}
"""What a node reports of each; None where it is unknown, which differs from nothing."""


def compare_nodes(
    declaration: Declaration, observation: Observation, network: Network
) -> Iterator[Check]:
    yield from _check_host_keys(declaration, observation)
    facts = {name: report.facts for name, report in observation.reports.items()}
    yield from _check_management(network)
    yield from _check_management_mtu(facts, network)
    yield from _check_machine_ids(facts)
    for name, read in VERSIONS.items():
        versions = {node: version for node in facts if (version := read(facts[node]))}
        if len(set(versions.values())) > 1:
            yield _warn(name, f"differs between the nodes: {_format(versions)}", UPDATE)
    yield from _check_user_ids(facts)
    yield from _check_memory(facts)
    yield from _check_clocks(observation)


def _check_host_keys(declaration: Declaration, observation: Observation) -> Iterator[Check]:
    """Machines from one image: who has the key of one is taken for the other."""
    nodes_by_key: dict[str, list[str]] = {}
    for node in declaration.nodes:
        query = observation.nodes.get(node.name)
        keys = filter(None, (query.host_key if query else None, node.host_key))
        for key in {" ".join(key.split()[:2]) for key in keys}:
            nodes_by_key.setdefault(key, []).append(node.name)
    for nodes in nodes_by_key.values():
        if len(nodes) > 1:
            fix = (
                "on all but one: `sudo rm /etc/ssh/ssh_host_* && sudo ssh-keygen -A && sudo "
                "systemctl restart ssh`, then accept the new key"
            )
            yield Check(
                None, "host keys", "fail", f"{', '.join(nodes)} have the same host key", fix
            )


def _check_management(network: Network) -> Iterator[Check]:
    """Of a declared address the network is not known."""
    networks = {
        node: str(address.network)
        for node, address in network.management.items()
        if address.network.num_addresses > 1
    }
    if len(set(networks.values())) > 1:
        message = f"the nodes are in different networks: {_format(networks)}"
        fix = "see that they reach each other, or set managementAddress to a network they share"
        yield _warn("management", message, fix)


def _check_management_mtu(facts: Mapping[str, Facts], network: Network) -> Iterator[Check]:
    """One sends packets that another, or the switch between them, drops."""
    mtus = {
        node: f"{interface.name} {interface.mtu}"
        for node, address in network.management.items()
        for interface in (facts[node].interfaces if node in facts else None) or ()
        if interface.mtu
        and str(address.ip) in {text.partition("/")[0] for text in interface.addresses}
    }
    if len({text.split()[1] for text in mtus.values()}) > 1:
        message = f"MTU of the management network differs between the nodes: {_format(mtus)}"
        yield _warn(
            "management", message, "one MTU on all, and on the switch: 1500 unless it is set"
        )


def _check_machine_ids(facts: Mapping[str, Facts]) -> Iterator[Check]:
    """DHCP and systemd take machines of one id for one (machine-id(5))."""
    nodes_by_machine: dict[str, list[str]] = {}
    for node, node_facts in facts.items():
        if node_facts.host and node_facts.host.machine:
            nodes_by_machine.setdefault(node_facts.host.machine, []).append(node)
    for nodes in nodes_by_machine.values():
        if len(nodes) > 1:
            fix = (
                "on all but one: `sudo rm /etc/machine-id /var/lib/dbus/machine-id && sudo "
                "systemd-machine-id-setup && sudo reboot`"
            )
            message = (
                f"{', '.join(nodes)} have the same machine-id: a router may give them one address"
            )
            yield Check(None, "machine-ids", "warn", message, fix)


def _check_user_ids(facts: Mapping[str, Facts]) -> Iterator[Check]:
    logins = {node: login for node in facts if (login := facts[node].login)}
    for user in sorted({login.user for login in logins.values()}):
        ids = {node: _format_ids(login) for node, login in logins.items() if login.user == user}
        if len(set(ids.values())) > 1:
            message = f"uid and gid of {user} differ between the nodes: {_format(ids)}"
            fix = (
                "files on a shared folder belong to others; `sudo usermod -u UID NAME`, log in anew"
            )
            yield _warn("users", message, fix)


def _format_ids(login: LoginFacts) -> str:
    """A report of an older agent knows no gid."""
    return f"{login.uid}" if login.gid is None else f"{login.uid}:{login.gid}"


def _check_memory(facts: Mapping[str, Facts]) -> Iterator[Check]:
    """Sparks come with 64 and 128 GB; a service over several counts on the smallest."""
    sizes = {
        node: memory.total_kib / KIB_PER_GIB for node in facts if (memory := facts[node].memory)
    }
    if sizes and max(sizes.values()) - min(sizes.values()) > MEMORY_STEP_GIB:
        text = _format({node: f"{size:.0f} GiB" for node, size in sizes.items()})
        message = f"differs between the nodes: {text}; services over several count on the least"
        yield _warn("memory", message, "none needed if this is so on purpose")


def _check_clocks(observation: Observation) -> Iterator[Check]:
    skews = {
        node: query.clock_skew_s
        for node, query in observation.nodes.items()
        if query.clock_skew_s is not None
    }
    if skews and max(skews.values()) - min(skews.values()) > CLOCK_WARN_S:
        first, last = min(skews, key=skews.__getitem__), max(skews, key=skews.__getitem__)
        message = f"{last} is {skews[last] - skews[first]:.1f} s ahead of {first}"
        yield _warn("clocks", message, "`sudo timedatectl set-ntp true` on both")


def _format(values: Mapping[str, str]) -> str:
    return ", ".join(f"{node} {value}" for node, value in values.items())


def _warn(name: str, message: str, fix: str) -> Check:
    return Check(None, name, "warn", message, fix)
