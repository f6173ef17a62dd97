"""Carry out a network change: recorded, armed, checked by netplan, applied, waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from node.changes import action, addresses, armed, file, link
from node.errors import Refusal
from node.host import links
from node.host.daemons import generate_netplan
from node.host.system import System
from node.network import arming
from node.network.link_config import Wish, unmet
from node.state.manifest import Journal

# networkd and NetworkManager answer `netplan apply` before the links are done.
SETTLE_S = 20.0
PAUSE_S = 0.5


def change(
    journal: Journal,
    files: Sequence[file.Change],
    wishes: Mapping[str, Wish],
    released: Sequence[str],
) -> list[str]:
    """Write the files and bring the links to their wishes; `released` are links that we give up.

    Raises Refusal where it does not work out: then the network is as it was, in files and links.
    """
    done = _prepare(journal, [one.path for one in files], wishes, released)
    try:
        for one in files:
            file.write(journal, one)
        for name in wishes:
            addresses.remember(journal, name)
        generate_netplan(journal.system)
        done += [f"{one.path}: written" for one in files]
        done += action.settle(journal, action.APPLY_NETPLAN)
        _tidy(journal, wishes, released)
        _await(journal.system, wishes)
    except Refusal as refusal:
        arming.roll_back(journal.system, False, arming.links_set_by_us(journal.system))
        raise Refusal(f"{refusal} The network is as it was before.") from None
    return [*done, f"waits {arming.LIMIT_S} s for its confirmation"]


def _prepare(
    journal: Journal, paths: Sequence[str], wishes: Mapping[str, Wish], released: Sequence[str]
) -> list[str]:
    """Record the links, owe the action, keep what was confirmed last: before any file changes."""
    for name, wish in wishes.items():
        link.remember(journal, name, wish["mtu"], wish["addresses"])
    done = arming.install_boot_unit(journal)
    action.mark(journal, action.APPLY_NETPLAN)
    armed.remember(journal)
    found = links.read(journal.system)
    touched = [found[name] for name in [*wishes, *released] if name in found]
    arming.arm(journal.system, journal.owner, paths, touched)
    return done


def _tidy(journal: Journal, wishes: Mapping[str, Wish], released: Sequence[str]) -> None:
    """What no renderer takes back: our earlier addresses, an MTU that is no longer asked for."""
    found = links.read(journal.system)
    for name in [*wishes, *released]:
        entries = journal.of(link.KIND, name)
        if not entries or name not in found:
            continue
        wish = wishes.get(name, Wish(addresses=[], mtu=None))
        ours, mtu = link.ours(entries), str(entries[0].facts["before"]["mtu"])
        for address in found[name].ipv4:
            if address in ours["addresses"] and address not in wish["addresses"]:
                journal.system.run(["ip", "address", "del", address, "dev", name])
        if wish["mtu"] is None and found[name].mtu in ours["mtu"]:
            journal.system.run(["ip", "link", "set", "dev", name, "mtu", mtu])


def _await(system: System, wishes: Mapping[str, Wish]) -> None:
    deadline = time.monotonic() + SETTLE_S
    while said := unmet(links.read(system), wishes):
        if time.monotonic() > deadline:
            raise Refusal(f"After `netplan apply`: {'; '.join(said)}.")
        time.sleep(PAUSE_S)
