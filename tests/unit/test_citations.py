"""What the repository cites can be opened by whoever reads it: no note that is not in it, no path
that does not exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[2]
PLANTED = {"tests/unit/test_citations.py", "tests/unit/test_rooms.py"}
"""They name what must not be named elsewhere."""

UNREADABLE = re.compile(
    r"fact[ _-]sheets?"  # notes of single readers
    r"|\bseed[ _-]?0\d\d"
    r"|docs/decisions|decisions/0\d\d\d"
    r"|stored file id|file id \d{6}"
    r"|\b(engines|network|style|house|design)\.md(?! of)\b(?= section)",
    re.IGNORECASE,
)
"""Sources that people once had and that are not in this repository."""

TOPS = "docs|benchmarks|sparkform|node|components|policies|tests|packages"
PATHS = re.compile(rf"(?<![\w/.@~{{}}$-])(?:{TOPS})/[\w./-]*\w\.(?:py|md|csv|json|txt|toml)\b")
FOREIGN = re.compile(r"@[0-9a-f]{7}|https?://|github\.com|\b[\w.-]+/[\w.-]+: *$")
"""What stands before a path of another repository on the same line."""


@cache
def read_tracked() -> dict[str, str]:
    """The text files that git tracks, by path from the root, but for PLANTED."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    texts = {}
    for name in names:
        if name and name not in PLANTED and (ROOT / name).is_file():
            data = (ROOT / name).read_bytes()
            if b"\0" not in data:
                texts[name] = data.decode("utf-8", "replace")
    return texts


def list_unreadable_sources(texts: Mapping[str, str]) -> list[str]:
    return [
        f"{path}:{number}: {match[0]}"
        for path, text in texts.items()
        if UNREADABLE.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        for match in UNREADABLE.finditer(line)
    ]


def list_dangling_paths(texts: Mapping[str, str], existing: set[str]) -> list[str]:
    """Paths of this repository that are named in code and documents and do not exist. Names in
    capitals stand for any file."""
    return [
        f"{path}:{number}: {match[0]}"
        for path, text in texts.items()
        if path.endswith((".py", ".md", ".toml")) or PurePath(path).name == "Makefile"
        for number, line in enumerate(text.splitlines(), 1)
        for match in PATHS.finditer(line)
        if match[0] not in existing and not _is_placeholder(match[0])
        if not FOREIGN.search(line[: match.start()])
    ]


def _is_placeholder(path: str) -> bool:
    return PurePath(path).stem.isupper()


def test_every_source_can_be_opened() -> None:
    assert list_unreadable_sources(read_tracked()) == []


def test_every_path_exists() -> None:
    existing = {*read_tracked(), *PLANTED}
    assert list_dangling_paths(read_tracked(), existing) == []


def test_planted_sources_that_nobody_can_open_are_found() -> None:
    canaries = {
        "a.py": "# engines fact sheet 1.1",
        "b.json": '"source": "seed 004 saw less"',
        "c.md": "see docs/decisions/0141",
        "d.csv": "engines.md section 4.1 (configs)",
    }
    assert [line.partition(":")[0] for line in list_unreadable_sources(canaries)] == [*canaries]
    assert list_unreadable_sources({"e.md": "a random seed 12; docs/design/undo.md"}) == []


def test_a_planted_path_that_does_not_exist_is_found() -> None:
    texts = {
        "a.py": "# node/old.py",
        "b.md": "`node/STEP.py`, x/y@0123abc: docs/other.md, docs/b.md",
    }
    assert list_dangling_paths(texts, {"docs/b.md"}) == ["a.py:1: node/old.py"]
