"""Whether a node can be reached and belongs to this stack, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from node.steps import STEPS
from sparkform.doctor.check import Check, NodeView

FACTS_WITH_OWN_ROW = ("fact gpu", "fact docker")
"""Facts whose absence is a finding of its own elsewhere."""


def check_login(view: NodeView) -> Iterator[Check]:
    host_key_note = "its host key is the declared one"
    if view.node.host_key is None:
        host_key_note = "its host key stands in known_hosts; `hostKey` would pin it for everybody"
    duration = f"{view.query.duration_s:.1f} s"
    yield view.ok(
        "login", f"{view.node.user} logs in, sudo asks nothing ({duration}); {host_key_note}"
    )


def check_claim(view: NodeView) -> Iterator[Check]:
    """The node's own record of its stack (node.state.claim)."""
    node_claim = view.facts.claim
    if node_claim is None:
        yield view.ok("claim", f"free: the first `pulumi up` makes it part of {view.stack_claim}")
    elif node_claim == view.stack_claim:
        yield view.ok("claim", f"part of {node_claim}")
    else:
        fix = f"`pulumi destroy` in {node_claim}, or leave the node out of this stack file"
        yield view.fail("claim", f"belongs to stack {node_claim}; this is {view.stack_claim}", fix)


def check_unreadable(view: NodeView) -> Iterator[Check]:
    """A row for each reason: one dead daemon hides several facts."""
    reasons: dict[str, list[str]] = {}
    for unread in view.report.unreadable:
        if not _has_own_row(unread.what):
            reasons.setdefault(unread.why, []).append(unread.what)
    for reason, names in reasons.items():
        fix = "mend what is said above, or run the named tool on the node by hand"
        yield view.warn("not read", f"{', '.join(names)}: {reason}", fix)


def _has_own_row(reading: str) -> bool:
    """`fact NAME` or `step NAME`."""
    spec = STEPS.get(reading.removeprefix("step "))
    return reading in FACTS_WITH_OWN_ROW or (spec is not None and spec.has_absence_row)


CHECKS = (check_login, check_claim)
FINAL_CHECKS = (check_unreadable,)
