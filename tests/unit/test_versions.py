"""Versions of drivers and tools compare as numbers, not as text."""

from __future__ import annotations

import pytest

from sparkform.versions import is_at_least


@pytest.mark.parametrize(
    ("version", "floor", "holds"),
    [
        ("580.142", "580.95", True),
        ("580.95", "580.142", False),
        ("13.0", "13", True),
        ("13", "13.0.1", False),
        ("1.18.2~rc.1", "1.19", False),
        ("version 20.10.24+dfsg1", "20.10", True),
        ("unknown", "1", None),
    ],
)
def test_parts_are_compared_one_by_one(version: str, floor: str, holds: bool | None) -> None:
    assert is_at_least(version, floor) is holds
