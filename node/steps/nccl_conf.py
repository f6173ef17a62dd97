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
from node.host.differences import list_changes
from node.host.system import System
from node.state.manifest import Manifest

PATH = "/etc/nccl.conf"
Json = Mapping[str, Any]

# IB_DISABLE=1 sends all traffic over TCP; a GID index moves after link events and then hangs
# (issues 38 and 40 of tonyd2wild's DeepSeek-v4-Flash repository for two Sparks).
OWNED = ("NCCL_IB_DISABLE", "NCCL_IB_GID_INDEX")


def observe(system: System, request: Json) -> dict[str, Any]:
    """The owned keys that the file sets, as text."""
    settings = dict(filter(None, map(_parse_setting, lines.split_lines(system.read(PATH)))))
    return {name: settings.get(name) for name in (*OWNED, *_list_names(request))}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return {name: want[name] if observed.get(name) is None else observed[name] for name in want}


def compare(have: Json, want: Json) -> list[str]:
    return list_changes(have, want, want)


def get_disturbance(have: Json, want: Json) -> str:
    """NCCL reads the file when a process starts; one that runs is not touched."""
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    text = manifest.system.read(PATH)
    edits = plan_edits(text, want)
    if not edits:
        return []
    file.write(
        manifest, file.FileChange(PATH, lines.apply_edits(text, edits), 0o644, file.LINES, edits)
    )
    return [f"{PATH}: {change}" for change in map(_format_edit, edits)]


def plan_edits(text: str | None, want: Json) -> list[lines.LineEdit]:
    """One edit for each line that sets an owned key to something else. Pure."""
    file_lines = lines.split_lines(text)
    edits = []
    for index, line in enumerate(file_lines):
        name, value = _parse_setting(line) or ("", "")
        if name in want and value != want[name]:
            replacement = None if want[name] is None else f"{name}={want[name]}"
            edits.append(lines.plan_replacement(file_lines, index, replacement, key=f"{name}="))
    return edits


def _list_names(request: Json) -> list[str]:
    return [name for name in request if name.startswith("NCCL_")]


def _parse_setting(line: str) -> tuple[str, str] | None:
    name, equals, value = line.partition("#")[0].partition("=")
    return (name.strip(), value.strip()) if equals else None


def _format_edit(edit: lines.LineEdit) -> str:
    old_line, new_line = (edit["before"] or "").strip(), (edit["after"] or "").strip()
    return f"{old_line} is now {new_line}" if new_line else f"{old_line} taken out"
