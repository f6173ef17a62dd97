"""A network link's run-time state: MTU, up or down, addresses; netplan takes none of it back."""

from __future__ import annotations

from collections.abc import Sequence

from node.host import links
from node.state.manifest import Manifest, ManifestEntry

KIND = "link"


def record(manifest: Manifest, name: str, mtu: int | None, addresses: Sequence[str]) -> None:
    """Record what the link is before we give it this MTU and these addresses. A link that is not
    there is not recorded: it comes back as the kernel makes it."""
    link = links.read_links(manifest.system).get(name)
    our_values = links.LinkValues(mtu=[] if mtu is None else [mtu], addresses=list(addresses))
    earlier = manifest.list_for(KIND, name)
    if link is None or (earlier and earlier[-1].facts["ours"] == our_values):
        return
    manifest.record(KIND, name, before=links.capture_state(manifest.system, link), ours=our_values)


def list_our_values(entries: Sequence[ManifestEntry]) -> links.LinkValues:
    """All that we ever set on the link. Pure."""
    return links.LinkValues(
        mtu=[mtu for entry in entries for mtu in entry.facts["ours"]["mtu"]],
        addresses=[address for entry in entries for address in entry.facts["ours"]["addresses"]],
    )


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    return links.restore(manifest.system, entries[0].facts["before"], list_our_values(entries))
