"""What a step's outcome on this node is as a parcel."""

from __future__ import annotations

import json
import os
from typing import Any

from node.delivery import image
from node.errors import Refusal
from node.host.system import System
from node.huggingface import cache, record
from node.state import receipts
from node.state.manifest import Journal
from node.transfer.bundle import Item, Parcel


def of(journal: Journal, name: str) -> Parcel:
    """`name` is the step's: `model:<slug>` or `image:<service>`. Raises Refusal for none."""
    system, (kind, _, instance) = journal.system, name.partition(":")
    if kind == "image":
        return image.parcel_of(journal, _want(system, name))
    found = _models(system).get(instance)
    if found is None:
        raise Refusal(f"This node does not have what {name} brings; run `pulumi up` again.")
    return model(system, name, found)


def _want(system: System, name: str) -> dict[str, Any]:
    """What the step was last applied for, by its receipt."""
    try:
        found: dict[str, Any] = json.loads(receipts.read_all(system).get(name, ""))["want"]
    except (ValueError, KeyError):
        raise Refusal(f"This node has no receipt of {name}; run `pulumi up` again.") from None
    return found


def _models(system: System) -> dict[str, record.Record]:
    return {cache.slug(one.handle): one for one in record.read_all(system)}


def model(system: System, name: str, found: record.Record) -> Parcel:
    """The files that the snapshot's names lead to, and those names as links or as files."""
    changed = record.changed(system, found)
    if changed:
        raise Refusal(f"{', '.join(changed[:3])} of {found.handle} changed just now; try again.")
    top = cache.snapshot(found.root, found.commit)
    links = {
        file: target
        for file in found.parts
        if (target := _target(system, f"{top}/{file}")) is not None
    }
    items = {part.place: Item(part.size, part.digest) for part in found.parts.values()}
    about: dict[str, Any] = {
        "handle": found.handle,
        "commit": found.commit,
        "revision": found.revision,
        "links": links,
    }
    return Parcel(name, found.root, items, about)


def _target(system: System, path: str) -> str | None:
    try:
        return os.readlink(system.path(path))
    except OSError:
        return None
