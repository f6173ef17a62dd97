"""The nodes beside each other: what must differ between them, and what must not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sparkform.config import Declaration
from sparkform.doctor.check import Check
from sparkform.doctor.machine import CLOCK_WARN_S
from sparkform.report.facts import Facts
from sparkform.report.rack_report import Observation

UPDATE = "bring all to the newest: `sudo apt update && sudo apt dist-upgrade && sudo reboot`"
VERSIONS: Mapping[str, Callable[[Facts], str | None]] = {
    "driver": lambda facts: facts.gpu.driver if facts.gpu else None,
    "kernel": lambda facts: facts.host.kernel if facts.host else None,
    "dgx os": lambda facts: facts.host.dgx_os if facts.host else None,
    "docker": lambda facts: facts.docker.version if facts.docker else None,
    "container toolkit": lambda facts: (
        facts.container_toolkit.version if facts.container_toolkit else None
    ),
}
"""What a node reports of each; None where it is unknown, which differs from nothing."""


def compare_nodes(declaration: Declaration, observation: Observation) -> Iterator[Check]:
    yield from _check_host_keys(declaration, observation)
    facts = {name: report.facts for name, report in observation.reports.items()}
    yield from _check_machine_ids(facts)
    for name, read in VERSIONS.items():
        versions = {node: version for node in facts if (version := read(facts[node]))}
        if len(set(versions.values())) > 1:
            yield _warn(name, f"differs between the nodes: {_format(versions)}", UPDATE)
    yield from _check_user_ids(facts)
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
        ids = {node: str(login.uid) for node, login in logins.items() if login.user == user}
        if len(set(ids.values())) > 1:
            message = f"uid of {user} differs between the nodes: {_format(ids)}"
            fix = (
                "files on a shared folder belong to others; `sudo usermod -u UID NAME`, log in anew"
            )
            yield _warn("users", message, fix)


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
