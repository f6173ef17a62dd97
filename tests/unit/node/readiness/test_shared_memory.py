"""What a killed engine leaves in /dev/shm goes; what is used or of others stays."""

from __future__ import annotations

import os

import pytest

from node.ranks import shared_memory
from tests.support.fake_spark import FakeSpark

STARTED_S = 1_763_712_000.0
SEGMENT = "psm_25d9b644"


@pytest.fixture
def write_segment(spark: FakeSpark):
    """A file in /dev/shm, written some seconds after the engine's start."""

    def write(name: str, after_s: float = 10) -> os.stat_result:
        spark.system.put(f"/dev/shm/{name}", "x" * 8192)
        path = spark.system.path(f"/dev/shm/{name}")
        os.utime(path, (STARTED_S + after_s, STARTED_S + after_s))
        return path.stat()

    return write


def list_segments(spark: FakeSpark) -> list[str]:
    return spark.system.list_names("/dev/shm")


@pytest.mark.parametrize("name", [SEGMENT, "sem.mp-xkux0p8m", "nccl-aB3dEf", "torch_12_3456789_0"])
def test_what_a_dead_engine_left_is_removed(spark, write_segment, name) -> None:
    write_segment(name)
    assert shared_memory.free(spark.system, STARTED_S) >= 8192
    assert list_segments(spark) == []


@pytest.mark.parametrize("name", ["PostgreSQL.1234", "pulse-shm-1", "psm_mine", "sem.other"])
def test_files_of_other_names_stay(spark, write_segment, name) -> None:
    write_segment(name)
    assert shared_memory.free(spark.system, STARTED_S) == 0
    assert list_segments(spark) == [name]


def test_what_was_there_before_the_engine_stays(spark, write_segment) -> None:
    write_segment(SEGMENT, after_s=-10)
    shared_memory.free(spark.system, STARTED_S)
    assert list_segments(spark) == [SEGMENT]


def test_what_a_process_has_mapped_stays(spark, write_segment) -> None:
    status = write_segment(SEGMENT)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    line = f"7f00-7f01 rw-s 00000000 {device} {status.st_ino} /dev/shm/{SEGMENT}\n"
    spark.system.put("/proc/77/maps", "7ffd-7ffe rw-p 00000000 00:00 0 [stack]\n" + line)
    assert shared_memory.free(spark.system, STARTED_S) == 0
    spark.system.put("/proc/77/maps", "")
    assert shared_memory.free(spark.system, STARTED_S) > 0


def test_what_a_process_has_open_stays(spark, write_segment) -> None:
    write_segment(SEGMENT)
    folder = spark.system.path("/proc/78/fd")
    folder.mkdir(parents=True)
    (folder / "3").symlink_to(spark.system.path(f"/dev/shm/{SEGMENT}"))
    shared_memory.free(spark.system, STARTED_S)
    assert list_segments(spark) == [SEGMENT]


def test_a_failed_start_gives_it_back_and_says_so(engine, failure) -> None:
    engine.spark.system.put(f"/dev/shm/{SEGMENT}", "x" * 2**20)
    engine.death = (2, 1)
    assert "1 MiB of shared memory freed" in failure()
    assert list_segments(engine.spark) == []
