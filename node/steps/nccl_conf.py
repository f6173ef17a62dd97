"""/etc/nccl.conf: settings that switch RDMA off or are known to hang; every other line stays.

A key that is not in the file has NCCL's default, which is what each wanted value says, so it
differs from no want. NCCL reads `NAME=value` lines, `#` begins a comment (NVIDIA's NCCL user
guide, "Environment Variables"); the last line of a name wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.changes import file
from node.files import lines
from node.host.differences import format_change
from node.host.paths import NCCL_CONF
from node.host.system import System
from node.host.typed_json import key
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec

IB_DISABLE, IB_GID_INDEX = "NCCL_IB_DISABLE", "NCCL_IB_GID_INDEX"
Settings = dict[str, str | None]


@dataclass(frozen=True)
class Want:
    """A key's value, null for none. IB_DISABLE=1 sends all traffic over TCP; a GID index moves
    after link events and then hangs (issues 38 and 40 of tonyd2wild's DeepSeek-v4-Flash repository
    for two Sparks)."""

    ib_disable: str | None = field(default=None, metadata=key(IB_DISABLE))
    ib_gid_index: str | None = field(default=None, metadata=key(IB_GID_INDEX))


def observe(system: System, request: StepRequest) -> Want:
    """The owned keys that the file sets."""
    settings = dict(filter(None, map(_parse_setting, lines.split_lines(system.read(NCCL_CONF)))))
    return Want(settings.get(IB_DISABLE), settings.get(IB_GID_INDEX))


def narrow(observed: Want, want: Want) -> Want:
    return Want(
        want.ib_disable if observed.ib_disable is None else observed.ib_disable,
        want.ib_gid_index if observed.ib_gid_index is None else observed.ib_gid_index,
    )


def compare(have: Want, want: Want) -> list[str]:
    current, wanted = _get_settings(have), _get_settings(want)
    return [
        format_change(name, current[name], wanted[name])
        for name in wanted
        if current[name] != wanted[name]
    ]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    text = manifest.system.read(NCCL_CONF)
    edits = plan_edits(text, _get_settings(want))
    if not edits:
        return []
    new_text = lines.apply_edits(text, edits)
    file.write(manifest, file.FileChange(NCCL_CONF, new_text, 0o644, file.LINES, edits))
    return [f"{NCCL_CONF}: {change}" for change in map(_format_edit, edits)]


def plan_edits(text: str | None, wanted: Settings) -> list[lines.LineEdit]:
    """One edit for each line that sets an owned key to something else. Pure."""
    file_lines = lines.split_lines(text)
    edits = []
    for index, line in enumerate(file_lines):
        name, value = _parse_setting(line) or ("", "")
        if name in wanted and value != wanted[name]:
            replacement = None if wanted[name] is None else f"{name}={wanted[name]}"
            edits.append(lines.plan_replacement(file_lines, index, replacement, key=f"{name}="))
    return edits


def _get_settings(want: Want) -> Settings:
    return {IB_DISABLE: want.ib_disable, IB_GID_INDEX: want.ib_gid_index}


def _parse_setting(line: str) -> tuple[str, str] | None:
    name, equals, value = line.partition("#")[0].partition("=")
    return (name.strip(), value.strip()) if equals else None


def _format_edit(edit: lines.LineEdit) -> str:
    old_line, new_line = (edit["before"] or "").strip(), (edit["after"] or "").strip()
    return f"{old_line} is now {new_line}" if new_line else f"{old_line} removed"


SPEC = StepSpec(
    name="nccl_conf",
    want=Want,
    observed=Want,
    observe=observe,
    narrow=narrow,
    compare=compare,
    # NCCL reads the file when a process starts; one that runs is not touched.
    apply=apply,
)
