"""Every step killed at every effect: `apply` converges, `undo --all` gives the machine back."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from typing import Any

import pytest

from node.host.system import Answer
from node.network.link_config import Wish
from node.state import document
from node.steps import STEPS, docker_daemon, fabric_address, swarm
from node.verbs import install
from tests.support.fake_network import HALF_A, HALF_B
from tests.support.fake_spark import GPU, FakeSpark, claim
from tests.support.fake_system import Killed
from tests.support.node_steps import document as document_of
from tests.support.node_steps import lives, picture, run_apply, undo_all

MODELS = "/srv/models"
HOST_READY: dict[str, Any] = {
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
    HALF_A: Wish(addresses=["192.168.100.10/25"], mtu=9000),
    HALF_B: Wish(addresses=["192.168.100.138/25"], mtu=9000),
}
WANTS: dict[str, dict[str, Any]] = {
    "nccl_conf": {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": None},
    "docker_daemon": dict(docker_daemon.wanted(GPU)),
    "host_ready": HOST_READY,
    "fabric_address": dict(fabric_address.wanted(FABRIC, take_over=True)),
    "swarm": dict(swarm.wanted_head("10.0.0.1", "10.201.0.0/16", take_over=False)),
}


pytestmark = pytest.mark.usefixtures("patience")


def applied(one: FakeSpark, step: str) -> list[str]:
    claim(one)
    return run_apply(one.system, step, WANTS[step])


def difference(one: FakeSpark, step: str) -> list[str]:
    found, want = STEPS[step], WANTS[step]
    return found.differences(found.narrow(found.observe(one.system, want), want), want)


@pytest.mark.parametrize("step", WANTS)
def test_apply_brings_what_is_wanted_and_a_second_one_finds_nothing_to_do(make, step) -> None:
    one = make()
    assert difference(one, step)
    assert len(applied(one, step)) > 0
    assert difference(one, step) == []
    before = picture(one)
    # The head says each time which network its services must name.
    assert applied(one, step) in (["nothing to do"], ["host network swarmhost"])
    assert picture(one) == before


@pytest.mark.parametrize("step", WANTS)
def test_undo_gives_the_machine_back(make, step) -> None:
    before = picture(make())
    one = make()
    applied(one, step)
    assert picture(one) != before
    undo_all(one.system)
    assert picture(one) == before


@pytest.mark.parametrize("step", WANTS)
def test_an_apply_killed_anywhere_converges_and_still_goes_back(make, step) -> None:
    before = picture(make())
    for one in lives(make, lambda one: applied(one, step)):
        applied(one, step)
        assert difference(one, step) == []
        undo_all(one.system)
        assert picture(one) == before


@pytest.mark.parametrize("step", WANTS)
def test_an_apply_killed_anywhere_is_undone_without_another_apply(make, step) -> None:
    before = picture(make())
    for one in lives(make, lambda one: applied(one, step)):
        undo_all(one.system)
        assert picture(one) == before


@pytest.mark.parametrize("step", WANTS)
def test_an_undo_killed_anywhere_is_finished_by_the_next(make, step) -> None:
    before = picture(make())

    def done() -> FakeSpark:
        one: FakeSpark = make()
        applied(one, step)
        return one

    for one in lives(done, lambda one: undo_all(one.system)):
        undo_all(one.system)
        assert picture(one) == before


def test_a_swarm_that_dockerd_goes_on_to_join_after_the_kill_is_left_too(make, monkeypatch) -> None:
    """dockerd does not stop with the client that asked it: the node joins a moment later."""
    one = make()
    before = picture(one)
    answer, begun = one.member.init, []

    def slow(body: Any) -> Answer:
        begun.append(body)
        raise Killed

    monkeypatch.setattr(one.member, "init", slow)
    with suppress(Killed):
        applied(one, "swarm")
    monkeypatch.setattr(time, "sleep", lambda pause_s: answer(begun.pop()) if begun else None)
    undo_all(one.system)
    if begun:
        answer(begun.pop())
    assert picture(one) == before


def test_an_install_killed_anywhere_is_done_again_and_goes_without_a_trace(make) -> None:
    before = picture(make())
    digest = hashlib.sha256(b"program").hexdigest()
    wanted = document.parse(document_of("anchor", {"sha256": digest}))

    def act(one: FakeSpark) -> None:
        install.install(one.system, wanted, b"program")

    for one in lives(make, act):
        act(one)
        assert install.observe(one.system) == wanted.want
        undo_all(one.system)
        assert picture(one) == before
    for one in lives(make, act):
        undo_all(one.system)
        assert picture(one) == before


def test_the_kill_loop_finds_a_step_that_changes_first_and_records_later(make) -> None:
    """The control: a change that nobody recorded is seen by the same comparison."""
    before = picture(make())

    def careless(one: FakeSpark) -> None:
        claim(one)
        one.system.write("/etc/planted", "x")

    found = []
    for one in lives(make, careless):
        undo_all(one.system)
        found.append(picture(one) == before)
    assert False in found
