"""Single lines of a text file: every other line, comments included, stays as it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from node.files import Unmerged

TOP = ""


class Edit(TypedDict):
    """One line. `before` None: we added it; `after` None: we took it out. `follows` is the line
    above it ("" for none), which tells where a line that we took out belongs; None is the end.
    `key`: how a line begins that says the same, so that no old one comes back beside a new one."""

    before: str | None
    after: str | None
    follows: str | None
    key: str | None


def split(text: str | None) -> list[str]:
    """Lines with their ends, so that joining them gives the same bytes."""
    return (text or "").splitlines(keepends=True)


def replaced(lines: Sequence[str], index: int, new: str | None, key: str | None = None) -> Edit:
    """The edit that replaces line `index` (its line end stays), or takes it out."""
    old = lines[index]
    follows = lines[index - 1] if index else TOP
    end = old[len(old.rstrip("\r\n")) :]
    return Edit(before=old, after=None if new is None else new + end, follows=follows, key=key)


def added(line: str, follows: str | None = None, key: str | None = None) -> Edit:
    """The edit that adds a line below `follows`; at the end where that is None."""
    return Edit(before=None, after=line, follows=follows, key=key)


def merge(text: str | None, edits: Sequence[Edit]) -> str:
    lines = split(text)
    for one in edits:
        _swap(lines, one["before"], one["after"], one["follows"])
    return "".join(lines)


def unmerge(text: str, edits: Sequence[Edit]) -> Unmerged:
    lines, left = split(text), []
    for one in reversed(edits):
        before, after = one["before"], one["after"]
        if after is not None and after not in lines:
            left += [before.strip()] if before is not None and before not in lines else []
        elif after is None and one["key"] and _says(lines, one["key"]):
            left.append((before or "").strip())
        else:
            _swap(lines, after, before, one["follows"])
    return Unmerged("".join(lines) or None, left)


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
    if index and not _ends(lines[index - 1]):
        lines[index - 1] += "\n"
    if index < len(lines) and not _ends(new):
        new += "\n"
    lines.insert(index, new)


def _ends(line: str) -> bool:
    return line.endswith(("\n", "\r"))


def _says(lines: Sequence[str], key: str) -> bool:
    return any(line.strip().startswith(key) for line in lines)
