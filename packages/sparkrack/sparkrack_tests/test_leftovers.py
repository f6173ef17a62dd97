"""Whose leftovers the rack tests count, where another rack stands beside theirs."""

from __future__ import annotations

import pytest

from tests.support.leftovers import is_of_rack


@pytest.mark.parametrize(
    "leftover",
    [
        "link rack87-1",
        "route 10.87.1.0/24 dev rack87-1 proto kernel scope link src 10.87.1.1",
        "container l12-spark-1",
    ],
)
def test_what_bears_the_racks_name_or_subnet_is_its_own(leftover: str) -> None:
    assert is_of_rack(leftover, "l12", 1)


@pytest.mark.parametrize(
    "leftover",
    [
        "link rack87-126",
        "route 10.87.126.0/24 dev rack87-126 proto kernel scope link src 10.87.126.1",
        "container l34-spark-1",
    ],
)
def test_what_another_rack_holds_is_not(leftover: str) -> None:
    assert not is_of_rack(leftover, "l12", 1)
