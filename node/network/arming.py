"""A network change is rolled back unless a fresh login confirms it.

Before the change, the files and link states of the last confirmed network are saved, and a timer
is started; a unit does the same at boot, after a power cut. Both call the verb `rollback`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from node.changes import action, file, link, symlink
from node.host import daemons, links
from node.host.paths import ARMED_NETWORK, ROLLED_BACK_NETWORK, SYSTEMD_UNITS, UNITS_AT_BOOT, ZIPAPP
from node.host.system import System
from node.state import manifest, pending_change
from node.state.manifest import Manifest

LIMIT_S = 90
STEP = "fabric_address"
BOOT_UNIT = "sparkform-rollback-boot.service"
# Before the network comes up, so that it comes up with the restored files.
BOOT_TEXT = f"""[Unit]
Description=Roll back a network change that was not confirmed
ConditionPathExists={ARMED_NETWORK}
DefaultDependencies=no
RequiresMountsFor=/var/lib/sparkform /usr/local/lib/sparkform /etc/netplan
After=local-fs.target systemd-remount-fs.service
Before=network-pre.target systemd-networkd.service NetworkManager.service
Wants=network-pre.target

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 {ZIPAPP} rollback --boot

[Install]
WantedBy=multi-user.target
"""


LinkSettings = Mapping[str, links.LinkValues]
"""By link: every MTU and address that this program set on it."""


class FileSnapshot(TypedDict):
    """A file before the change."""

    text: str
    mode: int
    uid: int
    gid: int


def install_boot_unit(step_manifest: Manifest) -> list[str]:
    """The unit stays until undo; it does nothing while no change is pending."""
    path, wants = f"{SYSTEMD_UNITS}/{BOOT_UNIT}", f"{UNITS_AT_BOOT}/{BOOT_UNIT}"
    if (
        step_manifest.system.read(path) == BOOT_TEXT
        and step_manifest.system.read_link(wants) == path
    ):
        return action.perform_due(step_manifest, action.RELOAD_SYSTEMD)
    action.mark_due(step_manifest, action.RELOAD_SYSTEMD)
    if step_manifest.system.read(path) != BOOT_TEXT:
        file.write(step_manifest, file.FileChange(path, BOOT_TEXT))
    symlink.ensure(step_manifest, wants, path)
    return action.perform_due(step_manifest, action.RELOAD_SYSTEMD)


def arm(
    system: System, owner: str, paths: Iterable[str], links_before: Sequence[links.HostLink]
) -> None:
    """Save the last confirmed state of these files and links, and start the timer. Where a change
    is pending already, its saved state stays: the newer one was never confirmed."""
    earlier = pending_change.read_state(system) or {"files": {}, "links": {}}
    files = {path: _take_snapshot(system, path) for path in paths} | earlier["files"]
    link_states = {link.name: links.capture_state(system, link) for link in links_before} | earlier[
        "links"
    ]
    record = {"owner": owner, "files": files, "links": link_states}
    system.write(ARMED_NETWORK, json.dumps(record), 0o600)
    system.remove(ROLLED_BACK_NETWORK)
    pending_change.stop_timer(system)
    seconds, unit = f"--on-active={LIMIT_S}s", f"--unit={pending_change.TIMER}"
    options = [unit, seconds, "--timer-property=AccuracySec=1s", "--collect"]
    daemons.run_checked(
        system, ["systemd-run", *options, "/usr/bin/python3", ZIPAPP, "rollback"], timeout_s=20
    )


def roll_back(system: System, at_boot: bool, our_settings: LinkSettings) -> list[str]:
    """Restore the files and, on a running network, the links. The record is removed last, so that
    a rollback that is killed is repeated. `our_settings`: by link, what we set on it."""
    snapshot = pending_change.read_state(system)
    if snapshot is None:
        return ["no network change pending"]
    for path, file_before in snapshot["files"].items():
        _restore_file(system, path, file_before)
    if at_boot:
        daemons.generate_netplan(system)
    else:
        _restore_links(system, snapshot["links"], our_settings)
    time_text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    system.write(
        ROLLED_BACK_NETWORK, json.dumps({"when": time_text, "owner": snapshot["owner"]}), 0o600
    )
    pending_change.disarm(system)
    return [f"network rolled back to the last confirmed state: {', '.join(snapshot['files'])}"]


def _restore_links(
    system: System, states: Mapping[str, links.LinkState], our_settings: LinkSettings
) -> None:
    nothing = links.LinkValues(mtu=[], addresses=[])
    pairs = [(states[name], our_settings.get(name, nothing)) for name in states]
    for state, set_by_us in pairs:
        links.remove_our_addresses(system, state, set_by_us)
    daemons.apply_netplan(system)
    for state, set_by_us in pairs:
        links.restore(system, state, set_by_us)


def _take_snapshot(system: System, path: str) -> FileSnapshot | None:
    text, status = system.read(path), system.get_state(path)
    if text is None or status is None:
        return None
    return FileSnapshot(text=text, mode=status.mode, uid=status.uid, gid=status.gid)


def _restore_file(system: System, path: str, snapshot: FileSnapshot | None) -> None:
    if snapshot is None:
        system.remove(path)
    elif system.read(path) != snapshot["text"]:
        system.write(path, snapshot["text"], snapshot["mode"], (snapshot["uid"], snapshot["gid"]))


def list_our_link_settings(system: System) -> LinkSettings:
    """By link, what this program has set on it, from the manifest."""
    entries = [
        entry for entry in manifest.read(system) if (entry.step, entry.kind) == (STEP, link.KIND)
    ]
    names = dict.fromkeys(entry.subject for entry in entries)
    return {
        name: link.list_our_values([entry for entry in entries if entry.subject == name])
        for name in names
    }
