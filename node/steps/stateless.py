"""What steps without a state of their own have in common: nothing of theirs ever differs. They run
again when what they looked at did, since their want holds its receipts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return dict(want)


def compare(have: Json, want: Json) -> list[str]:
    return []


def get_disturbance(have: Json, want: Json) -> str:
    return "none"
