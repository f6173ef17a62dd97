"""`down` leaves nothing: what the machine holds is compared before and after."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sparkform.errors import InputError
from sparkrack import daemon, inventory, lifecycle, login
from sparkrack.host import RackError
from sparkrack.layout import SimulatedRack
from sparkrack.paths import list_reserved
from sparkrack.shape import RackFabric, RackShape, Renderer
from tests.support import leftovers

pytestmark = pytest.mark.rack

ALONE = RackShape(1, RackFabric.NONE, Renderer.NETWORKD)


@pytest.fixture
def name(prepared: None) -> Iterator[str]:
    unique = f"l{uuid.uuid4().hex[:8]}"
    yield unique
    lifecycle.take_down(unique)


def list_left(name: str, rack: SimulatedRack, before: set[str]) -> set[str]:
    """New since `before` and of this rack: others may start their own meanwhile."""
    third = rack.subnet.network_address.packed[2]
    new = leftovers.list_everything(name) - before
    return {leftover for leftover in new if leftovers.is_of_rack(leftover, name, third)}


@contextmanager
def plant_leftovers(name: str) -> Iterator[None]:
    """One leftover of each kind that needs no Docker."""
    subprocess.run(["ip", "link", "add", f"{name}plant", "type", "bridge"], check=True)
    subprocess.run(["ip", "netns", "add", f"{name}plant"], check=True)
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", f"{name}plant"]
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
        subprocess.run(["ip", "netns", "del", f"{name}plant"], check=True)
        subprocess.run(["ip", "link", "del", f"{name}plant"], check=True)


def test_down_leaves_nothing_and_a_planted_leftover_is_found(name: str) -> None:
    before = leftovers.list_everything(name)
    rack = lifecycle.bring_up(name, ALONE, print)
    kinds = {leftover.split()[0] for leftover in list_left(name, rack, before)}
    assert {"link", "route", "container", "volume", "file", "mount"} <= kinds
    lifecycle.take_down(name)
    with plant_leftovers(name):
        assert list_left(name, rack, before) == {
            f"link {name}plant",
            f"file /run/netns/{name}plant",
            f"mount /run/netns/{name}plant",
            f"process {sys.executable} -c import time; time.sleep(60) {name}plant",
        }
    assert list_left(name, rack, before) == set()


def test_the_daemon_runs_on_only_where_someone_else_needs_it(name: str) -> None:
    lifecycle.bring_up(name, ALONE, print)
    lifecycle.take_down(name)
    with daemon.lock():
        others_running = (
            list_reserved() or inventory.list_containers() if daemon.is_running() else []
        )
        assert others_running or not daemon.is_running() or not daemon.is_ours()


def test_a_failed_up_removes_what_it_made(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_login(rack: str, node: object) -> None:
        raise RackError("spark-1: no login")

    before = leftovers.list_everything(name)
    monkeypatch.setattr(login, "wait", refuse_login)
    with pytest.raises(RackError, match="no login"):
        lifecycle.bring_up(name, ALONE, print)
    assert {
        leftover for leftover in leftovers.list_everything(name) - before if name in leftover
    } == set()


def test_a_second_up_changes_nothing_and_another_shape_is_refused(name: str) -> None:
    first = lifecycle.bring_up(name, ALONE, print)
    (container,) = inventory.list_containers(name)
    assert lifecycle.bring_up(name, ALONE, print) == first
    assert inventory.list_containers(name) == [container]
    with pytest.raises(InputError, match="is running with another shape"):
        lifecycle.bring_up(name, RackShape(2, RackFabric.DIRECT), print)
    assert inventory.list_containers(name) == [container]


def test_a_rack_that_was_left_half_made_is_named_and_down_removes_it(name: str) -> None:
    before = leftovers.list_everything(name)
    rack = lifecycle.bring_up(name, ALONE, print)
    subprocess.run(["docker", "rm", "--force", f"{name}-spark-1"], check=True, capture_output=True)
    with pytest.raises(InputError, match="left incomplete"):
        lifecycle.bring_up(name, ALONE, print)
    lifecycle.take_down(name)
    assert list_left(name, rack, before) == set()


def test_too_little_disk_is_told_before_anything_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = leftovers.list_everything(name)
    monkeypatch.setattr(lifecycle, "NODE_DISK_GIB", 10**6)
    with pytest.raises(RackError, match="a rack of 1 needs"):
        lifecycle.bring_up(name, ALONE, print)
    assert {
        leftover for leftover in leftovers.list_everything(name) - before if name in leftover
    } == set()


def test_racks_stand_side_by_side(name: str) -> None:
    first = lifecycle.bring_up(name, ALONE, print)
    second = lifecycle.bring_up(f"{name}b", ALONE, print)
    try:
        assert not first.subnet.overlaps(second.subnet)
        assert {name, f"{name}b"} <= set(inventory.list_racks())
    finally:
        lifecycle.take_down(f"{name}b")
    assert name in inventory.list_racks()
