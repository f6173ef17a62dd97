"""A network change: recorded, armed, checked by netplan, applied, waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.changes import action, addresses, armed, file, link
from node.errors import StepError
from node.host import links
from node.host.daemons import generate_netplan
from node.host.system import System
from node.host.waiting import wait_while
from node.network import arming
from node.network.link_config import LinkConfig, list_unmet
from node.state.manifest import Manifest

# networkd and NetworkManager answer `netplan apply` before the links are done.
SETTLE_S = 20.0


def apply_change(
    manifest: Manifest,
    files: Sequence[file.FileChange],
    configs: Mapping[str, LinkConfig],
    released: Sequence[str],
) -> list[str]:
    """Write the files and configure the links; `released` links are no longer ours.

    Raises StepError where the links do not settle: files and links are then as they were.
    """
    messages = _prepare(manifest, [file_change.path for file_change in files], configs, released)
    try:
        for file_change in files:
            file.write(manifest, file_change)
        for name in configs:
            addresses.record(manifest, name)
        generate_netplan(manifest.system)
        messages += [f"{file_change.path}: written" for file_change in files]
        messages += action.perform_due(manifest, action.APPLY_NETPLAN)
        _tidy(manifest, configs, released)
        _await_configs(manifest.system, configs)
    except StepError as error:
        arming.roll_back(manifest.system, False, arming.list_our_link_settings(manifest.system))
        raise StepError(f"{error} The network is as it was before.") from None
    return [
        *messages,
        f"network change pending: rolled back in {arming.LIMIT_S} s unless confirmed",
    ]


def _prepare(
    manifest: Manifest,
    paths: Sequence[str],
    configs: Mapping[str, LinkConfig],
    released: Sequence[str],
) -> list[str]:
    """Before any file changes: record the links, mark the action as due, arm the rollback."""
    for name, config in configs.items():
        link.record(manifest, name, config["mtu"], config["addresses"])
    messages = arming.install_boot_unit(manifest)
    action.mark_due(manifest, action.APPLY_NETPLAN)
    armed.record(manifest)
    links_now = links.read_links(manifest.system)
    touched = [links_now[name] for name in [*configs, *released] if name in links_now]
    arming.arm(manifest.system, manifest.owner, paths, touched)
    return messages


def _tidy(manifest: Manifest, configs: Mapping[str, LinkConfig], released: Sequence[str]) -> None:
    """Remove what no renderer removes: our earlier addresses, an MTU that is no longer wanted."""
    links_now = links.read_links(manifest.system)
    for name in [*configs, *released]:
        entries = manifest.list_for(link.KIND, name)
        if not entries or name not in links_now:
            continue
        config = configs.get(name, LinkConfig(addresses=[], mtu=None))
        our_values, mtu = link.list_our_values(entries), str(entries[0].facts["before"]["mtu"])
        for address in links_now[name].ipv4:
            if address in our_values["addresses"] and address not in config["addresses"]:
                manifest.system.run(["ip", "address", "del", address, "dev", name])
        if config["mtu"] is None and links_now[name].mtu in our_values["mtu"]:
            manifest.system.run(["ip", "link", "set", "dev", name, "mtu", mtu])


def _await_configs(system: System, configs: Mapping[str, LinkConfig]) -> None:
    unmet = wait_while(lambda: list_unmet(links.read_links(system), configs), SETTLE_S)
    if unmet:
        raise StepError(f"After `netplan apply`: {'; '.join(unmet)}.")
