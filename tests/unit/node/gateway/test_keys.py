"""Clients' keys: what stays of them on the node, and what is refused without repeating one."""

from __future__ import annotations

import json

import pytest

from node.errors import StepError
from node.gateway.keys import render_engine_key, render_key_digests

KEY = "sk-canary-0123456789abcdef"


def test_digests_alone_are_written() -> None:
    text = render_key_digests(json.dumps({"alice": KEY, "bob": KEY + "b"}))
    assert KEY not in text
    assert sorted(line.split()[1] for line in text.splitlines()) == ["alice", "bob"]
    assert all(len(line.split()[0]) == 64 for line in text.splitlines())


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "{}",
        "[1]",
        '{"alice": 1}',
        json.dumps({"alice": "short"}),
        json.dumps({"alice": KEY + " x"}),
        json.dumps({"alice": KEY + "é"}),
        json.dumps({"al ice": KEY}),
        json.dumps({"al\nroot": KEY}),
        json.dumps({"alice": KEY, "bob": KEY}),
        KEY,
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(StepError) as refusal:
        render_key_digests(secret)
    assert KEY not in str(refusal.value)
    assert "short" not in str(refusal.value)


def test_an_engines_key_that_would_break_a_header_is_refused() -> None:
    assert render_engine_key("sk-engine") == "engine sk-engine\n"
    for key in ("", "a b", "a\r\nX: y", "é"):
        with pytest.raises(StepError):
            render_engine_key(key)
