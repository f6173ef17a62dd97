"""Import asyncssh without a compiler run.

asyncssh looks for two optional C libraries (liboqs, nettle) with `ctypes.util.find_library`. Where
the linker's cache does not know them, Python goes on to run gcc and ld, twice: 0.1 to 0.2 s of
every preview. Both are found by PATH, so PATH leads nowhere while the import runs; a library that
the linker's cache knows is still found (asyncssh 2.24.1, crypto/pq.py and umac.py).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module


def load_asyncssh() -> None:
    """Import it. Call this from the main thread, before others start programs of their own."""
    with _hide_programs():
        import_module("asyncssh")


@contextlib.contextmanager
def _hide_programs() -> Iterator[None]:
    search_path = os.environ.get("PATH")
    # Not empty: an empty PATH is the current folder to some.
    os.environ["PATH"] = os.devnull
    try:
        yield
    finally:
        del os.environ["PATH"]
        if search_path is not None:
            os.environ["PATH"] = search_path
