"""A network link's run-time state: MTU, up or down, addresses; netplan takes none of it back."""

from __future__ import annotations

from collections.abc import Sequence

from node.host import links
from node.state.manifest import Entry, Journal

KIND = "link"


def remember(journal: Journal, name: str, mtu: int | None, addresses: Sequence[str]) -> None:
    """Record what the link is before we give it this MTU and these addresses. A link that is not
    there is not recorded: it comes back as the kernel makes it."""
    found = links.read(journal.system).get(name)
    ours = {"mtu": [] if mtu is None else [mtu], "addresses": list(addresses)}
    earlier = journal.of(KIND, name)
    if found is None or (earlier and earlier[-1].facts["ours"] == ours):
        return
    journal.record(KIND, name, before=links.runtime(journal.system, found), ours=ours)


def ours(entries: Sequence[Entry]) -> dict[str, list[object]]:
    """All that we ever set on the link. Pure."""
    return {
        key: [value for entry in entries for value in entry.facts["ours"][key]]
        for key in ("mtu", "addresses")
    }


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    return links.restore(journal.system, entries[0].facts["before"], ours(entries))
