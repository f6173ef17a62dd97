"""For all tiers: what collecting has made stays, so the garbage collector need not look at it, and
no example is timed, since how long one takes depends on what else the machine does.

The examples of a tier are the same in every run, so that a red one can be repeated; `make fuzz`
looks for new ones.
"""

from __future__ import annotations

import gc

from hypothesis import settings

settings.register_profile("few", max_examples=20, derandomize=True, deadline=None, database=None)
settings.register_profile("many", settings.get_profile("few"), max_examples=150)
settings.register_profile("new", settings.get_profile("many"), derandomize=False)
settings.load_profile("few")


def pytest_collection_finish() -> None:
    gc.freeze()
