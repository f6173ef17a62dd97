"""/etc/nccl.conf: settings that switch RDMA off or are known to hang; every other line stays.

want: {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": null, ...}: a key's value, null for none.
A key that is not in the file has NCCL's default, which is what each of these values says, so it
differs from no want. NCCL reads `NAME=value` lines, `#` begins a comment (NVIDIA's NCCL user
guide, "Environment Variables"); the last line of a name wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.changes import file
from node.files import lines
from node.host.differences import changes
from node.host.system import System
from node.state.manifest import Journal

PATH = "/etc/nccl.conf"
Json = Mapping[str, Any]

# IB_DISABLE=1 sends all traffic over TCP; a GID index moves after link events and then hangs
# (issues 38 and 40 of tonyd2wild's DeepSeek-v4-Flash repository for two Sparks).
OWNED = ("NCCL_IB_DISABLE", "NCCL_IB_GID_INDEX")


def observe(system: System, request: Json) -> dict[str, Any]:
    """The owned keys that the file sets, as text."""
    found = dict(filter(None, map(_parse, lines.split(system.read(PATH)))))
    return {name: found.get(name) for name in (*OWNED, *_names(request))}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return {name: want[name] if seen.get(name) is None else seen[name] for name in want}


def differences(have: Json, want: Json) -> list[str]:
    return changes(have, want, want)


def disturbs(have: Json, want: Json) -> str:
    """NCCL reads the file when a process starts; one that runs is not touched."""
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    text = journal.system.read(PATH)
    edits = plan(text, want)
    if not edits:
        return []
    file.write(journal, file.Change(PATH, lines.merge(text, edits), 0o644, file.LINES, edits))
    return [f"{PATH}: {said}" for said in map(_said, edits)]


def plan(text: str | None, want: Json) -> list[lines.Edit]:
    """One edit for each line that sets an owned key to something else. Pure."""
    found = lines.split(text)
    edits = []
    for index, line in enumerate(found):
        name, value = _parse(line) or ("", "")
        if name in want and value != want[name]:
            new = None if want[name] is None else f"{name}={want[name]}"
            edits.append(lines.replaced(found, index, new, key=f"{name}="))
    return edits


def _names(request: Json) -> list[str]:
    return [name for name in request if name.startswith("NCCL_")]


def _parse(line: str) -> tuple[str, str] | None:
    name, equals, value = line.partition("#")[0].partition("=")
    return (name.strip(), value.strip()) if equals else None


def _said(edit: lines.Edit) -> str:
    old, new = (edit["before"] or "").strip(), (edit["after"] or "").strip()
    return f"{old} is now {new}" if new else f"{old} taken out"
