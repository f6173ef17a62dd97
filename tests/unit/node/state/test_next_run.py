"""The number of the next documents: the same while nothing happens, another after each change."""

from __future__ import annotations

import os
import shutil

import pytest

from node.host.paths import BOOT_ID, RECEIPTS, STATE
from node.state import receipts
from node.state.next_run import MACHINE_ID, compute_next_run
from tests.support.fake_spark import FakeSpark, claim_node


@pytest.fixture
def node(spark: FakeSpark) -> FakeSpark:
    spark.system.put(MACHINE_ID, "4f0c\n")
    spark.system.put(BOOT_ID, "71b2\n")
    claim_node(spark)
    receipts.write(spark.system, "nccl_conf", '{"run": 1}')
    return spark


def test_it_stays_while_nothing_is_applied_and_is_an_exact_number_in_json(node: FakeSpark) -> None:
    first = compute_next_run(node.system)
    node.system.put(f"{STATE}/lock", "held by somebody")
    node.system.put("/etc/nccl.conf", "NCCL_IB_DISABLE=1\n")
    assert compute_next_run(node.system) == first
    assert 0 <= first < 2**48


def test_a_receipt_that_is_written_or_removed_changes_it(node: FakeSpark) -> None:
    numbers = {compute_next_run(node.system)}
    receipts.write(node.system, "nccl_conf", '{"run": 2}')
    numbers.add(compute_next_run(node.system))
    receipts.write(node.system, "agent", '{"run": 2}')
    numbers.add(compute_next_run(node.system))
    receipts.remove(node.system, "agent")
    numbers.add(compute_next_run(node.system))
    for folder in (RECEIPTS, STATE):
        shutil.rmtree(node.system.path(folder))
        numbers.add(compute_next_run(node.system))
    assert len(numbers) == 6


def test_what_is_put_back_as_it_was_is_not_taken_for_the_same(node: FakeSpark) -> None:
    first, folder = compute_next_run(node.system), node.system.path(RECEIPTS)
    times = (folder.stat().st_atime_ns, folder.stat().st_mtime_ns)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    shutil.rmtree(folder)
    copy.rename(folder)
    os.utime(folder, ns=times)
    assert compute_next_run(node.system) != first


@pytest.mark.parametrize("path", [BOOT_ID, MACHINE_ID])
def test_another_boot_and_another_installation_change_it(node: FakeSpark, path: str) -> None:
    first = compute_next_run(node.system)
    node.system.put(path, "another\n")
    assert compute_next_run(node.system) != first


def test_a_machine_that_tells_nothing_has_one_too(spark: FakeSpark) -> None:
    assert compute_next_run(spark.system) == compute_next_run(spark.system) > 0
