"""The tables in the pages are what the code computes today."""

from __future__ import annotations

import pytest

from benchmarks.doc_tables import ROOT, TABLES, rewrite_tables

REMEDY = "run `python -m benchmarks.doc_tables`"


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_up_to_date(name: str) -> None:
    text = (ROOT / name).read_text()
    assert rewrite_tables(text, TABLES[name]) == text, REMEDY


def test_a_planted_figure_in_a_table_is_found() -> None:
    text = (ROOT / "docs" / "sizes.md").read_text()
    planted = text.replace("lacks 9.3 GiB", "lacks 0.3 GiB")
    assert planted != text
    assert rewrite_tables(planted, TABLES["docs/sizes.md"]) == text


def test_a_lost_marker_is_told() -> None:
    with pytest.raises(LookupError, match="sizes"):
        rewrite_tables("no table here", TABLES["docs/sizes.md"])


def test_every_rejected_claim_stands_in_the_corrections() -> None:
    text = (ROOT / "docs" / "corrections.md").read_text()
    for phrase in ("trt-dgx-spark", "benchmark-spark", "80 to 120", "20 to 40", "119.33"):
        assert phrase in text
