"""Single lines of a text file: all other lines, comments included, stay as they are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from node.files import Reverted

TOP = ""


class LineEdit(TypedDict):
    """One line. `before` None: we added it; `after` None: we removed it. `follows` is the line
    above it ("" for none), which says where a removed line belongs; None is the end. `key`: how a
    line with the same setting begins, so that no old one comes back beside a new one."""

    before: str | None
    after: str | None
    follows: str | None
    key: str | None


def split_lines(text: str | None) -> list[str]:
    """Lines with their ends, so that joining them gives the same bytes."""
    return (text or "").splitlines(keepends=True)


def plan_replacement(
    lines: Sequence[str], index: int, new: str | None, key: str | None = None
) -> LineEdit:
    """The edit that replaces line `index` (its line end stays), or removes it."""
    old = lines[index]
    follows = lines[index - 1] if index else TOP
    end = old[len(old.rstrip("\r\n")) :]
    return LineEdit(before=old, after=None if new is None else new + end, follows=follows, key=key)


def plan_addition(line: str, follows: str | None = None, key: str | None = None) -> LineEdit:
    """The edit that adds a line below `follows`; at the end where that is None."""
    return LineEdit(before=None, after=line, follows=follows, key=key)


def apply_edits(text: str | None, edits: Sequence[LineEdit]) -> str:
    lines = split_lines(text)
    for edit in edits:
        _swap(lines, edit["before"], edit["after"], edit["follows"])
    return "".join(lines)


def revert_edits(text: str, edits: Sequence[LineEdit]) -> Reverted:
    lines, changed = split_lines(text), []
    for edit in reversed(edits):
        before, after = edit["before"], edit["after"]
        if after is not None and after not in lines:
            changed += [before.strip()] if before is not None and before not in lines else []
        elif after is None and edit["key"] and _has_key(lines, edit["key"]):
            changed.append((before or "").strip())
        else:
            _swap(lines, after, before, edit["follows"])
    return Reverted("".join(lines) or None, changed)


def _swap(lines: list[str], old: str | None, new: str | None, follows: str | None) -> None:
    if old is not None:
        index = lines.index(old)
        lines[index : index + 1] = [] if new is None else [new]
    elif new is not None:
        _insert(lines, new, follows)


def _insert(lines: list[str], new: str, follows: str | None) -> None:
    index = 0 if follows == TOP else len(lines)
    if follows in lines:
        index = lines.index(follows) + 1
    if index and not _has_line_end(lines[index - 1]):
        lines[index - 1] += "\n"
    if index < len(lines) and not _has_line_end(new):
        new += "\n"
    lines.insert(index, new)


def _has_line_end(line: str) -> bool:
    return line.endswith(("\n", "\r"))


def _has_key(lines: Sequence[str], key: str) -> bool:
    return any(line.strip().startswith(key) for line in lines)
