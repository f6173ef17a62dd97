"""Whether a node can be reached and belongs to this stack, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from node.steps import STEPS
from sparkform.doctor.check import Check, NodeView
from sparkform.plan.problems import format_claim_remedy

ITEMS_WITH_OWN_ROW = ("fact gpu", "fact docker")
"""Facts that say "unknown" in a row of their own."""

MIN_MANAGEMENT_MBPS = 1000
WIRELESS = "wl"
"""How systemd names wireless interfaces (systemd.net-naming-scheme(7))."""


def check_login(view: NodeView) -> Iterator[Check]:
    host_key_note = "host key matches the declared one"
    if view.node.host_key is None:
        host_key_note = "host key from known_hosts (`hostKey` pins it for everybody)"
    duration = f"{view.query.duration_s:.1f} s"
    message = f"SSH and passwordless sudo OK for {view.node.user} ({duration}); {host_key_note}"
    yield view.ok("login", message)


def check_claim(view: NodeView) -> Iterator[Check]:
    """The node's own record of its stack (node.state.claim)."""
    owner = view.facts.claim
    if not view.was_read("fact claim"):
        return
    if owner is None:
        yield view.ok("claim", f"free; the first `pulumi up` adds it to {view.stack_claim}")
    elif owner == view.stack_claim:
        yield view.ok("claim", f"belongs to this stack, {owner}")
    else:
        fix = format_claim_remedy(owner, view.stack)
        yield view.fail("claim", f"belongs to stack {owner}, not to {view.stack_claim}", fix)


def check_management(view: NodeView) -> Iterator[Check]:
    """What ranks say to each other beside the fabric goes by the management address."""
    address = view.plan.network.management.get(view.node.name)
    for interface in view.facts.interfaces or ():
        is_used = address is not None and str(address.ip) in map(_strip_prefix, interface.addresses)
        if is_used and (interface.speed_mbps or MIN_MANAGEMENT_MBPS) < MIN_MANAGEMENT_MBPS:
            message = f"{address} is on {interface.name}, which runs at {interface.speed_mbps} Mb/s"
            yield view.warn("management", message, "another cable or switch port: 1 Gb/s or more")
        is_apart = view.declaration.cluster.fabric.control_traffic == "fabric"
        if is_used and interface.name.startswith(WIRELESS) and not is_apart:
            message = (
                f"{address} is on Wi-Fi ({interface.name}): what ranks say to each other beside "
                "the fabric goes over it, and a service ends where it is lost"
            )
            fix = "a cable in the RJ45 port, or `fabric.controlTraffic: fabric`"
            yield view.warn("management", message, fix)


def _strip_prefix(address: str) -> str:
    return address.partition("/")[0]


def check_unread(view: NodeView) -> Iterator[Check]:
    """A row for each reason: one dead daemon hides several facts."""
    items: dict[str, list[str]] = {}
    for unread in view.report.unreadable:
        if not _has_own_row(unread.what):
            items.setdefault(unread.why, []).append(unread.what)
    for reason, names in items.items():
        yield view.unknown("not read", f"{', '.join(names)}: {reason}")


def _has_own_row(item: str) -> bool:
    """`fact NAME` or `step NAME`."""
    spec = STEPS.get(item.removeprefix("step "))
    return item in ITEMS_WITH_OWN_ROW or (spec is not None and spec.has_absence_row)


CHECKS = (check_login, check_claim)
FINAL_CHECKS = (check_management, check_unread)
