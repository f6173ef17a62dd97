"""For all tiers: what collecting has made stays, so the garbage collector need not look at it."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    gc.freeze()
