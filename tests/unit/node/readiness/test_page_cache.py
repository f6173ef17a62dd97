"""The page cache while a service starts: dropped below the limit, told once, left alone without."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.host.page_cache import COMPACT_MEMORY, DROP_CACHES
from node.host.paths import MEMORY_GUARD
from node.readiness.page_cache import PAUSE_S, PageCacheGuard
from tests.support.fake_engine import FakeEngine
from tests.unit.node.readiness.conftest import schedule_answer

GIB = 1024**2
SCARCE = f"MemTotal: {120 * GIB} kB\nMemFree: {3 * GIB} kB\nMemAvailable: {60 * GIB} kB\n"
TOLD = "qwen rank 0: 3.0 GiB are free, less than 8.0: the page cache is dropped until the service"


@pytest.fixture
def guarded(engine: FakeEngine) -> FakeEngine:
    system = engine.spark.system
    system.put(DROP_CACHES, "0")
    system.put(COMPACT_MEMORY, "")
    system.put("/proc/meminfo", SCARCE)
    return engine


def test_a_start_with_too_little_free_memory_drops_the_cache_and_says_so_once(
    guarded: FakeEngine, run: Callable[..., list[str]], monkeypatch, capsys
) -> None:
    guarded.spark.system.put(MEMORY_GUARD, f'{{"min_free_kib": {8 * GIB}}}')
    schedule_answer(monkeypatch, guarded, 20)
    run()
    told = [line for line in capsys.readouterr().err.splitlines() if "page cache" in line]
    assert len(told) == 1
    assert told[0].startswith(TOLD)
    assert guarded.spark.system.read(DROP_CACHES) == "1"
    assert guarded.spark.system.read(COMPACT_MEMORY) == "1"


@pytest.mark.parametrize(
    "text", [None, "{", '{"min_free_kib": null}', f'{{"min_free_kib": {GIB}}}']
)
def test_without_a_limit_or_above_it_nothing_is_dropped(
    text: str | None, guarded: FakeEngine, run: Callable[..., list[str]], monkeypatch, capsys
) -> None:
    if text:
        guarded.spark.system.put(MEMORY_GUARD, text)
    schedule_answer(monkeypatch, guarded, 20)
    run()
    assert "page cache" not in capsys.readouterr().err
    assert guarded.spark.system.read(DROP_CACHES) == "0"


def test_between_two_drops_there_is_a_pause(guarded: FakeEngine, patience: list[float]) -> None:
    system = guarded.spark.system
    system.put(MEMORY_GUARD, f'{{"min_free_kib": {8 * GIB}}}')
    guard = PageCacheGuard(system)
    guard.watch()
    guard.watch()
    assert guard.drops == 1
    patience.append(PAUSE_S)
    guard.watch()
    assert guard.drops == 2


def test_a_kernel_that_does_not_let_it_is_told(engine: FakeEngine) -> None:
    system = engine.spark.system
    system.put("/proc/meminfo", SCARCE)
    system.put(MEMORY_GUARD, f'{{"min_free_kib": {8 * GIB}}}')
    assert "was not dropped (/proc/sys/vm/drop_caches: " in str(PageCacheGuard(system).watch())
