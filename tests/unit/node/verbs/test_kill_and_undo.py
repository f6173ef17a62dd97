"""Every step killed at every effect: `apply` converges, `undo --all` gives the machine back."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from typing import Any

import pytest

from node.host.system import HttpAnswer
from node.host.typed_json import to_fields
from node.network.link_config import LinkConfig
from node.state import document
from node.steps import STEPS, docker_daemon, earlyoom, fabric_address, gpu_clock, swarm
from node.verbs import install
from tests.support import node_steps
from tests.support.fake_network import HALF_A, HALF_B
from tests.support.fake_spark import GPU, FakeSpark, claim_node
from tests.support.fake_system import Killed
from tests.support.node_steps import build_document as document_of
from tests.support.node_steps import run_apply, run_lives, take_snapshot, undo_all

MODELS = "/srv/models"
PREREQUISITES: dict[str, Any] = {
    "user": "nvidia",
    "docker_group": True,
    "linger": True,
    "memlock": "unlimited",
    "swap": [],
    "model_directory": MODELS,
    "model_directory_exists": True,
    "model_directory_mode": "0775",
    "model_directory_owner": "nvidia",
}
FABRIC = {
    HALF_A: LinkConfig(addresses=["192.168.100.10/25"], mtu=9000),
    HALF_B: LinkConfig(addresses=["192.168.100.138/25"], mtu=9000),
}
WANTS: dict[str, object] = {
    "nccl_conf": {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": None},
    "docker_daemon": docker_daemon.build_want(GPU),
    "prerequisites": PREREQUISITES,
    "fabric_address": fabric_address.build_want(FABRIC, take_over=True),
    "swarm": swarm.build_head_want("10.0.0.1", "10.201.0.0/16", take_over=False),
    "gpu_clock": gpu_clock.Want(2100),
    "page_cache": {"min_free_kib": 8 * 1024**2},
    "earlyoom": earlyoom.Want(2 * 1024**2),
    "package_hold": {
        "groups": ["kernel", "driver"],
        "packages": ["linux-image-6.14.0-1013-nvidia", "nvidia-driver-580-open"],
    },
}


pytestmark = pytest.mark.usefixtures("patience")


def apply_step(spark: FakeSpark, step: str) -> list[str]:
    claim_node(spark)
    return run_apply(spark.system, step, WANTS[step])


def list_differences(spark: FakeSpark, step: str) -> list[str]:
    spec = STEPS[step]
    want = spec.parse_want(to_fields(WANTS[step]))
    request = {"user": "nvidia", "model_directory": MODELS, "raw": {"declared": True}}
    return node_steps.list_differences(spec, spark.system, want, **request)


@pytest.mark.parametrize("step", WANTS)
def test_apply_brings_what_is_wanted_and_a_second_one_finds_nothing_to_do(make_spark, step) -> None:
    spark = make_spark()
    assert list_differences(spark, step)
    assert len(apply_step(spark, step)) > 0
    assert list_differences(spark, step) == []
    original_snapshot = take_snapshot(spark)
    # The head says each time which network its services must name.
    assert apply_step(spark, step) in (["nothing to do"], ["host network swarmhost"])
    assert take_snapshot(spark) == original_snapshot


@pytest.mark.parametrize("step", WANTS)
def test_undo_gives_the_machine_back(make_spark, step) -> None:
    original_snapshot = take_snapshot(make_spark())
    spark = make_spark()
    apply_step(spark, step)
    assert take_snapshot(spark) != original_snapshot
    undo_all(spark.system)
    assert take_snapshot(spark) == original_snapshot


@pytest.mark.parametrize("step", WANTS)
def test_an_apply_killed_anywhere_converges_and_still_goes_back(make_spark, step) -> None:
    original_snapshot = take_snapshot(make_spark())
    for spark in run_lives(make_spark, lambda spark: apply_step(spark, step)):
        apply_step(spark, step)
        assert list_differences(spark, step) == []
        undo_all(spark.system)
        assert take_snapshot(spark) == original_snapshot


@pytest.mark.parametrize("step", WANTS)
def test_an_apply_killed_anywhere_is_undone_without_another_apply(make_spark, step) -> None:
    original_snapshot = take_snapshot(make_spark())
    for spark in run_lives(make_spark, lambda spark: apply_step(spark, step)):
        undo_all(spark.system)
        assert take_snapshot(spark) == original_snapshot


@pytest.mark.parametrize("step", WANTS)
def test_an_undo_killed_anywhere_is_finished_by_the_next(make_spark, step) -> None:
    original_snapshot = take_snapshot(make_spark())

    def build_applied() -> FakeSpark:
        spark: FakeSpark = make_spark()
        apply_step(spark, step)
        return spark

    for spark in run_lives(build_applied, lambda spark: undo_all(spark.system)):
        undo_all(spark.system)
        assert take_snapshot(spark) == original_snapshot


def test_a_swarm_that_dockerd_goes_on_to_join_after_the_kill_is_left_too(
    make_spark, monkeypatch
) -> None:
    """dockerd does not stop with the client that asked it: the node joins a moment later."""
    spark = make_spark()
    original_snapshot = take_snapshot(spark)
    answer, requests = spark.member.init, []

    def slow(body: Any) -> HttpAnswer:
        requests.append(body)
        raise Killed

    monkeypatch.setattr(spark.member, "init", slow)
    with suppress(Killed):
        apply_step(spark, "swarm")
    monkeypatch.setattr(time, "sleep", lambda pause_s: answer(requests.pop()) if requests else None)
    undo_all(spark.system)
    if requests:
        answer(requests.pop())
    assert take_snapshot(spark) == original_snapshot


def test_an_install_killed_anywhere_is_done_again_and_goes_without_a_trace(make_spark) -> None:
    original_snapshot = take_snapshot(make_spark())
    digest = hashlib.sha256(b"program").hexdigest()
    step_document = document.parse(document_of("agent", {"sha256": digest}))

    def install_agent(spark: FakeSpark) -> None:
        install.install(spark.system, step_document, b"program")

    for spark in run_lives(make_spark, install_agent):
        install_agent(spark)
        assert install.observe(spark.system) == step_document.want
        undo_all(spark.system)
        assert take_snapshot(spark) == original_snapshot
    for spark in run_lives(make_spark, install_agent):
        undo_all(spark.system)
        assert take_snapshot(spark) == original_snapshot


def test_the_kill_loop_finds_a_step_that_changes_first_and_records_later(make_spark) -> None:
    """The control: a change that nobody recorded is seen by the same comparison."""
    original_snapshot = take_snapshot(make_spark())

    def careless(spark: FakeSpark) -> None:
        claim_node(spark)
        spark.system.write("/etc/planted", "x")

    are_restored = []
    for spark in run_lives(make_spark, careless):
        undo_all(spark.system)
        are_restored.append(take_snapshot(spark) == original_snapshot)
    assert False in are_restored
