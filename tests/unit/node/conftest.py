"""Fake Sparks, and no waiting: their files need not outlive a power cut."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fake_host import FakeHost
from tests.support.fake_network import OTHER_TOOL, add_network
from tests.support.fake_spark import FakeSpark, build_spark
from tests.support.fake_swarm import FakeCluster, add_member


@pytest.fixture(autouse=True)
def _skip_fsync(monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def patience(monkeypatch) -> list[float]:
    """A clock that runs only by sleeping: what waits for a minute takes no time here."""
    slept: list[float] = []
    started_s, now_s = time.monotonic(), time.time()
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: started_s + sum(slept))
    monkeypatch.setattr(time, "time", lambda: now_s + sum(slept))
    return slept


@pytest.fixture
def make_spark(tmp_path: Path) -> Iterator[Callable[[], FakeSpark]]:
    """A new machine at each call, the same each time: another tool has set up half A.

    The kill tests make hundreds; in memory, where there is such a file system, they go in no time.
    """
    numbers = itertools.count()
    memory = Path("/dev/shm")
    base = memory if os.access(memory, os.W_OK) else tmp_path

    with tempfile.TemporaryDirectory(dir=base, prefix="sparkform-test-") as folder:

        def build() -> FakeSpark:
            spark = build_spark(Path(folder) / str(next(numbers)))
            spark.system.put("/etc/netplan/40-cx7.yaml", OTHER_TOOL, 0o600)
            spark.network = add_network(spark)
            spark.network.apply([], "")
            spark.host = FakeHost(spark)
            spark.host.install_earlyoom()
            spark.member = add_member(spark, FakeCluster(), "spark-1", "10.0.0.1")
            return spark

        yield build


@pytest.fixture
def spark(make_spark) -> FakeSpark:
    spark: FakeSpark = make_spark()
    return spark
