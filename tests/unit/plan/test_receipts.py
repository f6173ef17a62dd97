from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.report.receipts import decide, parse_receipt

OWNER = "sparkform/lab/spark-1/nccl_conf"
WANT = {"NCCL_IB_DISABLE": None}
HAVE = {"NCCL_IB_DISABLE": "1"}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
documents = st.dictionaries(st.text(), values)


def test_an_untouched_node_is_given_a_first_document() -> None:
    decision = decide(OWNER, WANT, HAVE, None, 1)
    assert not decision.in_sync
    assert json.loads(decision.document) == {"owner": OWNER, "want": WANT, "have": HAVE, "run": 1}


def test_what_is_right_but_was_not_made_by_us_is_recorded() -> None:
    assert not decide(OWNER, WANT, WANT, None, 1).in_sync


def test_the_same_drift_twice_is_two_documents() -> None:
    first = decide(OWNER, WANT, HAVE, None, 1)
    second = decide(OWNER, WANT, HAVE, parse_receipt(first.document), 2)
    assert first.document != second.document
    assert second.run == 2


def test_another_owner_takes_the_step_over() -> None:
    first = decide("sparkform/lab/old-name/nccl_conf", WANT, HAVE, None, 1)
    assert not decide(OWNER, WANT, WANT, parse_receipt(first.document), 2).in_sync


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "3", '{"owner": 1, "want": {}, "run": 1}', '{"owner": "a"}']
)
def test_a_missing_or_damaged_receipt_is_none(text: str | None) -> None:
    assert parse_receipt(text) is None


@given(want=documents, have=values)
def test_once_applied_a_step_hands_on_its_receipt_byte_for_byte(want, have) -> None:
    applied = decide(OWNER, want, have, None, 1)
    again = decide(OWNER, want, want, parse_receipt(applied.document), 2)
    assert again.in_sync
    assert again.document == applied.document


@given(want=documents, other_want=documents)
def test_a_changed_want_or_a_drift_always_makes_a_new_document(want, other_want) -> None:
    receipt = parse_receipt(decide(OWNER, want, None, None, 1).document)
    assert receipt is not None
    if other_want != want:
        assert decide(OWNER, want, other_want, receipt, 2).document != receipt.text
        assert decide(OWNER, other_want, other_want, receipt, 2).document != receipt.text
