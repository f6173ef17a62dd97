"""Whether a node can be reached and belongs to this stack, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.doctor.check import Check, View

OWN_ROWS = ("fact gpu", "fact docker", "step fabric_check")
"""Facts whose absence is a finding of its own elsewhere."""


def login(view: View) -> Iterator[Check]:
    how = "its host key is the declared one"
    if view.node.host_key is None:
        how = "its host key stands in known_hosts; `hostKey` would pin it for everybody"
    took = f"{view.report.duration_s:.1f} s"
    yield view.ok("login", f"{view.node.user} logs in, sudo asks nothing ({took}); {how}")


def claim(view: View) -> Iterator[Check]:
    """The node's own record of its stack (node.state.claim)."""
    found = view.facts.claim
    if found is None:
        yield view.ok("claim", f"free: the first `pulumi up` makes it part of {view.claimant}")
    elif found == view.claimant:
        yield view.ok("claim", f"part of {found}")
    else:
        fix = f"`pulumi destroy` in {found}, or leave the node out of this stack file"
        yield view.fail("claim", f"belongs to stack {found}; this is {view.claimant}", fix)


def unreadable(view: View) -> Iterator[Check]:
    """A row for each reason: one dead daemon hides several facts."""
    reasons: dict[str, list[str]] = {}
    for one in view.document.unreadable:
        if one.what not in OWN_ROWS:
            reasons.setdefault(one.why, []).append(one.what)
    for why, names in reasons.items():
        fix = "mend what is said above, or run the named tool on the node by hand"
        yield view.warn("not read", f"{', '.join(names)}: {why}", fix)


CHECKS = (login, claim)
LAST = (unreadable,)
