"""A network change takes itself back unless somebody who logs in afresh confirms it.

Before the change, the files and link states of the last confirmed network are kept, and a timer
is started; a unit does the same at boot, for a power cut. Both call the verb `rollback`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from node.changes import action, file, link, symlink
from node.host import daemons, links
from node.host.paths import ARMED, ROLLED_BACK, ZIPAPP
from node.host.system import System
from node.state import manifest, pending_change
from node.state.manifest import Journal

LIMIT_S = 90
STEP = "fabric_address"
BOOT_UNIT = "sparkform-rollback-boot.service"
UNITS = "/etc/systemd/system"
# Before the network comes up, so that it comes up with the restored files.
BOOT_TEXT = f"""[Unit]
Description=Take back a network change that nobody confirmed
ConditionPathExists={ARMED}
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


def install_boot_unit(journal: Journal) -> list[str]:
    """The unit stays until undo; it does nothing on a machine that is not armed."""
    path, wants = f"{UNITS}/{BOOT_UNIT}", f"{UNITS}/multi-user.target.wants/{BOOT_UNIT}"
    if journal.system.read(path) == BOOT_TEXT and journal.system.link_target(wants) == path:
        return action.settle(journal, action.RELOAD_SYSTEMD)
    action.mark(journal, action.RELOAD_SYSTEMD)
    if journal.system.read(path) != BOOT_TEXT:
        file.write(journal, file.Change(path, BOOT_TEXT))
    symlink.ensure(journal, wants, path)
    return action.settle(journal, action.RELOAD_SYSTEMD)


def arm(system: System, owner: str, paths: Iterable[str], before: Sequence[links.Link]) -> None:
    """Keep the last confirmed state of these files and links, and start the timer. Armed already:
    what is kept stays, because the newer state was never confirmed."""
    earlier = pending_change.state(system) or {"files": {}, "links": {}}
    files = {path: _snapshot(system, path) for path in paths} | earlier["files"]
    kept = {link.name: links.runtime(system, link) for link in before} | earlier["links"]
    record = {"owner": owner, "files": files, "links": kept}
    system.write(ARMED, json.dumps(record), 0o600)
    system.remove(ROLLED_BACK)
    pending_change.stop_timer(system)
    seconds, unit = f"--on-active={LIMIT_S}s", f"--unit={pending_change.TIMER}"
    options = [unit, seconds, "--timer-property=AccuracySec=1s", "--collect"]
    daemons.must(
        system, ["systemd-run", *options, "/usr/bin/python3", ZIPAPP, "rollback"], timeout_s=20
    )


def roll_back(system: System, at_boot: bool, ours: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Restore the files and, on a running network, the links. The record goes last, so that a roll
    back that is killed is done again. `ours`: by link, what the manifest says that we set."""
    kept = pending_change.state(system)
    if kept is None:
        return ["nothing to take back"]
    for path, before in kept["files"].items():
        _put_back(system, path, before)
    if at_boot:
        daemons.generate_netplan(system)
    else:
        _put_links_back(system, kept["links"], ours)
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    system.write(ROLLED_BACK, json.dumps({"when": when, "owner": kept["owner"]}), 0o600)
    pending_change.disarm(system)
    return [f"network taken back to what was confirmed last: {', '.join(kept['files'])}"]


def _put_links_back(
    system: System, kept: Mapping[str, Any], ours: Mapping[str, Mapping[str, Any]]
) -> None:
    pairs = [(kept[name], ours.get(name, {"mtu": [], "addresses": []})) for name in kept]
    for before, set_by_us in pairs:
        links.withdraw(system, before, set_by_us)
    daemons.apply_netplan(system)
    for before, set_by_us in pairs:
        links.restore(system, before, set_by_us)


def _snapshot(system: System, path: str) -> dict[str, Any] | None:
    text, found = system.read(path), system.state(path)
    if text is None or found is None:
        return None
    return {"text": text, "mode": found.mode, "uid": found.uid, "gid": found.gid}


def _put_back(system: System, path: str, before: Mapping[str, Any] | None) -> None:
    if before is None:
        system.remove(path)
    elif system.read(path) != before["text"]:
        system.write(path, before["text"], before["mode"], (before["uid"], before["gid"]))


def links_set_by_us(system: System) -> Mapping[str, Mapping[str, Any]]:
    """By link, what the manifest says that this program set on it."""
    entries = [one for one in manifest.read(system) if (one.step, one.kind) == (STEP, link.KIND)]
    names = dict.fromkeys(one.subject for one in entries)
    return {name: link.ours([one for one in entries if one.subject == name]) for name in names}
