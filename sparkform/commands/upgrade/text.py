"""What an upgrade would do, and where it stopped, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from node.readings.measure import Unread
from node.updates.apt import AptUpdates
from node.updates.firmware import FirmwareUpdate
from node.verbs.updates import NodeUpdates
from sparkform.upgrade.decide import ServiceSight, find_obstacle, has_work, needs_reboot
from sparkform.upgrade.progress import UpgradeProgress

SHOWN_PACKAGES = 12


def format_plan(
    order: tuple[str, ...],
    updates: Mapping[str, NodeUpdates],
    services: tuple[ServiceSight, ...],
    progress: UpgradeProgress,
) -> Iterator[str]:
    """A block a node, in the order in which they come."""
    for number, node in enumerate(order, 1):
        state = "done" if node in progress.verified else "begun" if node in progress.failing else ""
        yield f"{number}. {node}{f' ({state})' if state else ''}"
        yield from (f"   {line}" for line in format_node(node, updates.get(node)))
    touched = {name for name in order if name in updates and has_work(updates[name])}
    for service in services:
        nodes = [name for name in service.nodes if name in touched]
        if service.is_alive and nodes:
            yield f"service {service.name} ends before {nodes[0]} and starts after the last node"


def format_node(node: str, updates: NodeUpdates | None) -> Iterator[str]:
    obstacle = find_obstacle(node, updates)
    if updates is None or obstacle is not None:
        yield f"cannot be begun: {obstacle}"
        return
    if not has_work(updates):
        yield "nothing to update"
    if isinstance(updates.apt, AptUpdates):
        yield from _format_packages(updates.apt)
    yield from _format_firmware(updates.firmware)
    if needs_reboot(updates):
        yield "a reboot"


def describe_left(updates: NodeUpdates) -> str:
    """What is still to do on a node that was updated."""
    apt = () if isinstance(updates.apt, Unread) else updates.apt.packages
    firmware = () if isinstance(updates.firmware, Unread) else updates.firmware
    names = [*(entry.name for entry in apt), *(f"firmware of {item.device}" for item in firmware)]
    return ", ".join([*names, *(["a reboot"] if updates.is_reboot_required else [])])


def _format_packages(apt: AptUpdates) -> Iterator[str]:
    if apt.unconfigured:
        yield f"left half configured, will be configured: {', '.join(apt.unconfigured)}"
    shown = [format_change(entry.name, entry.installed, entry.candidate) for entry in apt.packages]
    yield from shown[:SHOWN_PACKAGES]
    if len(shown) > SHOWN_PACKAGES:
        yield f"and {len(shown) - SHOWN_PACKAGES} more packages"
    if apt.held:
        yield f"held, stay as they are: {', '.join(apt.held)}"
    left = [name for name in apt.kept if name not in apt.held]
    if left:
        yield f"kept back by apt, by hand: {', '.join(left)}"
    if apt.lists_age_s is not None:
        yield f"by package lists that are {apt.lists_age_s / 3600:.0f} h old"


def _format_firmware(firmware: tuple[FirmwareUpdate, ...] | Unread) -> Iterator[str]:
    if isinstance(firmware, Unread):
        yield f"firmware is unknown ({firmware.why}) and stays as it is"
        return
    for entry in firmware:
        yield format_change(f"firmware of {entry.device}", entry.installed, entry.candidate)


def format_change(name: str, installed: str, candidate: str) -> str:
    """
    >>> format_change("libc6", "2.39-0ubuntu8.5", "2.39-0ubuntu8.6")
    'libc6 2.39-0ubuntu8.5 -> 2.39-0ubuntu8.6'
    >>> format_change("linux-image-6.17.0-1031-nvidia", "", "6.17.0-1031.31")
    'linux-image-6.17.0-1031-nvidia 6.17.0-1031.31, new'
    """
    return f"{name} {installed} -> {candidate}" if installed else f"{name} {candidate}, new"


def format_stop(progress: UpgradeProgress, order: tuple[str, ...], stack: str) -> Iterator[str]:
    """Why it stopped, how the rack stands, and what to do."""
    yield f"stopped: {progress.failure}"
    rest = [name for name in order if name not in progress.verified]
    if rest:
        yield f"not done: {', '.join(rest)}; `sparkform doctor {stack}` shows how they are"
    yield f"mend the cause, then `sparkform upgrade {stack} --apply` goes on from here"
    for service in progress.paused:
        yield f"service {service} is paused; `sparkform restart {stack} {service}` starts it now"
