"""What an upgrade does next: one thing, from what the nodes say and how far it has come. Pure.

Workers come first and the head last, one node at a time: the next begins once the one before was
verified. A service ends once, before the first of its nodes is touched, and starts once all nodes
are done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from node.host.packages import find_group
from node.readings.measure import Unread
from node.verbs.updates import NodeUpdates
from sparkform.upgrade.progress import UpgradeProgress

ActionKind = Literal[
    "skip",
    "pause",
    "await-end",
    "begin",
    "packages",
    "firmware",
    "reboot",
    "await-run",
    "await-boot",
    "verify",
    "resume",
    "await-start",
    "settle",
    "stop",
    "finish",
]
REBOOTING_GROUPS = ("kernel", "driver")
PACKAGES, FIRMWARE = "packages", "firmware"
MOST_REBOOTS = 2
"""Firmware may come in two parts, and a newer base brings packages of its own. What is left after
that is told."""


@dataclass(frozen=True)
class UpgradeAction:
    """`subject`: the node or the service; `reason`: why it stops."""

    kind: ActionKind
    subject: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ServiceSight:
    """A service as its nodes show it. `is_kept`: a supervisor takes requests for it; `is_alive`: a
    rank of it runs somewhere, None where that is not known."""

    name: str
    nodes: tuple[str, ...]
    is_alive: bool | None
    is_kept: bool
    is_serving: bool = False
    is_paused: bool = False


@dataclass(frozen=True)
class UpgradeView:
    """`order`: the nodes as they come. `updates`: what each node says; a node that does not answer
    is not in it."""

    order: tuple[str, ...]
    updates: Mapping[str, NodeUpdates]
    services: tuple[ServiceSight, ...]
    progress: UpgradeProgress


def order_nodes(names: Sequence[str]) -> tuple[str, ...]:
    """
    >>> order_nodes(["head", "worker-1", "worker-2"])
    ('worker-1', 'worker-2', 'head')
    """
    return (*names[1:], *names[:1])


def decide_next(view: UpgradeView) -> UpgradeAction:
    progress = view.progress
    if progress.failure is not None:
        return UpgradeAction("stop", reason=progress.failure)
    for node in view.order:
        if node not in progress.verified:
            return _advance(view, node)
    for service in view.services:
        if service.name in progress.paused:
            return _start_again(service)
    return UpgradeAction("finish")


def _start_again(service: ServiceSight) -> UpgradeAction:
    """Asked for once: a group that is starting would begin anew."""
    if service.is_serving:
        return UpgradeAction("settle", service.name)
    return UpgradeAction("resume" if service.is_paused else "await-start", service.name)


def _advance(view: UpgradeView, node: str) -> UpgradeAction:
    updates = view.updates.get(node)
    if node not in view.progress.failing:
        return _open(view, node, updates)
    if updates is None:
        return UpgradeAction("await-boot", node)
    if isinstance(updates.run, Unread) or updates.run.is_running:
        return UpgradeAction("await-run", node)
    acts = view.progress.list_acts(node, updates.boot_id)
    if acts and updates.run.failure is not None:
        return UpgradeAction("stop", node, f"{node}: {updates.run.failure}")
    is_last_boot = view.progress.reboot_counts.get(node, 0) >= MOST_REBOOTS
    for act, is_due in ((PACKAGES, has_packages(updates)), (FIRMWARE, has_firmware(updates))):
        if is_due and act not in acts and not is_last_boot:
            return UpgradeAction(act, node)  # type: ignore[arg-type]
    return UpgradeAction("reboot" if _is_reboot_due(view, node, updates) else "verify", node)


def _is_reboot_due(view: UpgradeView, node: str, updates: NodeUpdates) -> bool:
    """One that was asked for and has not come yet is asked for again."""
    progress = view.progress
    if progress.boot_ids.get(node) == updates.boot_id:
        return True
    count = progress.reboot_counts.get(node, 0)
    is_first = node in progress.reboots and count == 0
    is_owed = progress.owed_reboots.get(node) == updates.boot_id
    is_due = is_first or is_owed or updates.is_reboot_required
    return is_due and count < MOST_REBOOTS


def _open(view: UpgradeView, node: str, updates: NodeUpdates | None) -> UpgradeAction:
    """Before anything of a node is touched, all is known that its update needs."""
    obstacle = find_obstacle(node, updates)
    if updates is None or obstacle is not None:
        return UpgradeAction("stop", node, obstacle or f"{node} does not answer")
    if not has_work(updates):
        return UpgradeAction("skip", node)
    for service in view.services:
        if node not in service.nodes:
            continue
        if service.is_alive is None:
            reason = f"whether service {service.name} runs is not known"
            return UpgradeAction("stop", node, reason)
        if service.is_alive:
            return _end(view, service)
    return UpgradeAction("begin", node)


def _end(view: UpgradeView, service: ServiceSight) -> UpgradeAction:
    if service.name in view.progress.paused:
        return UpgradeAction("await-end", service.name)
    if not service.is_kept:
        reason = f"service {service.name} runs without a supervisor; `pulumi up` gives it one"
        return UpgradeAction("stop", service.name, reason)
    return UpgradeAction("pause", service.name)


def find_obstacle(node: str, updates: NodeUpdates | None) -> str | None:
    """Why the node cannot be begun. What fwupd does not tell is left as it is."""
    if updates is None:
        return f"{node} does not answer"
    if isinstance(updates.apt, Unread):
        return f"{node}: {updates.apt.why}"
    if isinstance(updates.run, Unread):
        return f"{node}: {updates.run.why}"
    return f"{node}: another update runs" if updates.run.is_running else None


def has_packages(updates: NodeUpdates) -> bool:
    apt = updates.apt
    return not isinstance(apt, Unread) and bool(apt.packages or apt.unconfigured)


def has_firmware(updates: NodeUpdates) -> bool:
    return not isinstance(updates.firmware, Unread) and bool(updates.firmware)


def has_work(updates: NodeUpdates) -> bool:
    return has_packages(updates) or has_firmware(updates) or updates.is_reboot_required


def needs_reboot(updates: NodeUpdates) -> bool:
    """Firmware, a kernel and a driver are used from the next boot on."""
    packages = () if isinstance(updates.apt, Unread) else updates.apt.packages
    groups = {find_group(package.name) for package in packages}
    is_new_base = bool(groups & set(REBOOTING_GROUPS))
    return updates.is_reboot_required or has_firmware(updates) or is_new_base
