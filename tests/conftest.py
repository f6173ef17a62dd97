"""For all tiers: what collecting has made stays, so the garbage collector need not look at it, and
no example is timed, since how long one takes depends on what else the machine does."""

from __future__ import annotations

import gc

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    gc.freeze()
