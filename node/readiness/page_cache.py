"""The page cache is dropped while a service starts and too little memory is free."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from node.host import page_cache
from node.host.paths import MEMORY_GUARD
from node.host.plain import as_mapping
from node.host.system import System

PAUSE_S = 5.0
"""Between two drops: where memory is in use by the engine itself, a drop frees little."""

KIB_PER_GIB = 1024**2


@dataclass
class PageCacheGuard:
    """Of one start. `drops`: how often the cache was dropped."""

    system: System
    drops: int = 0
    dropped_s: float = float("-inf")

    def watch(self) -> str | None:
        """Look once; what to tell, the first time that it acts."""
        limit_kib = read_limit_kib(self.system)
        now_s = time.monotonic()
        if limit_kib is None or now_s - self.dropped_s < PAUSE_S:
            return None
        free_kib = page_cache.read_free_kib(self.system)
        if free_kib is None or free_kib >= limit_kib:
            return None
        self.dropped_s, self.drops = now_s, self.drops + 1
        problem = page_cache.drop(self.system)
        page_cache.compact(self.system)
        if self.drops > 1:
            return None
        return format_drop(free_kib, limit_kib, problem)


def format_drop(free_kib: int, limit_kib: int, problem: str | None) -> str:
    """
    >>> format_drop(3 * KIB_PER_GIB, 8 * KIB_PER_GIB, None)
    '3.0 GiB are free, less than 8.0: the page cache is dropped until the service answers'
    """
    state = f"{free_kib / KIB_PER_GIB:.1f} GiB are free, less than {limit_kib / KIB_PER_GIB:.1f}"
    if problem:
        return f"{state}: the page cache was not dropped ({problem})"
    return f"{state}: the page cache is dropped until the service answers"


def read_limit_kib(system: System) -> int | None:
    """None where no guard is declared."""
    try:
        settings = as_mapping(json.loads(system.read(MEMORY_GUARD) or "{}"))
    except ValueError:
        return None
    limit_kib = settings.get("min_free_kib")
    return limit_kib if isinstance(limit_kib, int) else None
