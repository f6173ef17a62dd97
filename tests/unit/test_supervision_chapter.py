"""The chapter on supervision names a test for each weakness: every name is that of a test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "docs" / "design" / "supervision.md"
FEWEST = 30


def list_named(text: str) -> set[str]:
    return set(re.findall(r"`(test_\w+)`", text))


def list_tests() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {
        name
        for file in files
        for name in re.findall(r"^ *def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }


def test_each_named_test_is_there() -> None:
    named = list_named(CHAPTER.read_text())
    assert len(named) >= FEWEST
    assert named - list_tests() == set()


def test_a_name_of_no_test_is_found() -> None:
    invented = "test_that_" + "nobody_has_written"
    assert list_named(f"| a weakness | `{invented}` |") - list_tests() == {invented}
