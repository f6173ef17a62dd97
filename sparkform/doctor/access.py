"""Whether a node can be reached and belongs to this stack, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.doctor.check import Check, NodeView

ITEMS_WITH_OWN_ROW = ("fact gpu", "fact docker", "step fabric_check")
"""Items that say "unknown" in a row of their own."""


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
        fix = f"`pulumi destroy` in {owner}, or leave the node out of this stack file"
        yield view.fail("claim", f"belongs to stack {owner}, not to {view.stack_claim}", fix)


def check_unread(view: NodeView) -> Iterator[Check]:
    """A row for each reason: one dead daemon hides several facts."""
    items: dict[str, list[str]] = {}
    for unread in view.report.unreadable:
        if unread.what not in ITEMS_WITH_OWN_ROW:
            items.setdefault(unread.why, []).append(unread.what)
    for reason, names in items.items():
        yield view.unknown("not read", f"{', '.join(names)}: {reason}")


CHECKS = (check_login, check_claim)
FINAL_CHECKS = (check_unread,)
