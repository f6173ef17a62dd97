"""The order of an upgrade, on simulated racks that are killed, fail and reboot at any moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.readings.measure import Unread
from node.updates.apt import AptUpdates, PackageUpdate
from node.updates.firmware import FirmwareUpdate
from node.updates.running import RunState
from node.verbs.updates import NodeUpdates
from sparkform.upgrade.decide import (
    ServiceSight,
    UpgradeAction,
    UpgradeView,
    decide_next,
    needs_reboot,
    order_nodes,
)
from sparkform.upgrade.progress import UpgradeProgress

NAMES = ("spark-1", "spark-2", "spark-3", "spark-4")
MOST_TURNS = 400


@dataclass
class SimulatedHost:
    """One node: what it has to update, and what happens to it."""

    packages: tuple[str, ...] = ()
    firmware: bool = False
    held: tuple[str, ...] = ()
    boot: int = 1
    running: str | None = None
    fails_packages: bool = False
    breaks: bool = False
    away_turns: int = 0
    failure: str | None = None
    requires_reboot: bool = False
    installed: list[str] = field(default_factory=list)

    def describe(self) -> NodeUpdates:
        packages = tuple(PackageUpdate(name, "1", "2") for name in self.packages)
        firmware = (FirmwareUpdate("UEFI", "1", "2"),) if self.firmware else ()
        return NodeUpdates(
            boot_id=f"boot-{self.boot}",
            apt=AptUpdates(packages, self.held, self.held, 60.0),
            firmware=firmware,
            is_reboot_required=self.requires_reboot,
            run=RunState(self.running is not None, self.failure),
        )

    def settle(self) -> None:
        """A run ends after a turn; a reboot takes some."""
        if self.away_turns:
            self.away_turns -= 1
            return
        if self.running == "packages" and self.fails_packages:
            self.failure = "E: broken"
        elif self.running == "packages":
            self.installed += self.packages
            self.packages = ()
        elif self.running == "firmware":
            self.firmware = False
        self.running = None


@dataclass
class SimulatedUpgrade:
    """The rack, and the loop that acts; `log` has every action that touched something."""

    hosts: dict[str, SimulatedHost]
    services: dict[str, tuple[str, ...]]
    progress: UpgradeProgress = field(default_factory=lambda: UpgradeProgress("p/s"))
    alive: set[str] = field(default_factory=set)
    log: list[UpgradeAction] = field(default_factory=list)
    ending: set[str] = field(default_factory=set)

    def build_view(self) -> UpgradeView:
        answering = {
            name: host.describe() for name, host in self.hosts.items() if not host.away_turns
        }
        sights = tuple(
            ServiceSight(
                name, nodes, name in self.alive, True, name in self.alive, name not in self.alive
            )
            for name, nodes in self.services.items()
        )
        return UpgradeView(order_nodes(list(self.hosts)), answering, sights, self.progress)

    def take_turn(self, is_killed: bool) -> UpgradeAction:
        """Killed: the act is done and not written down, or the other way round for a reboot."""
        action = decide_next(self.build_view())
        self.log.append(action)
        ACT.get(action.kind, ignore)(self, action.subject, is_killed)
        for host in self.hosts.values():
            host.settle()
        self.alive -= self.ending
        self.ending.clear()
        return action

    def run(self, kills: frozenset[int] = frozenset()) -> UpgradeAction:
        for turn in range(MOST_TURNS):
            action = self.take_turn(turn in kills)
            if action.kind in ("stop", "finish"):
                return action
        raise AssertionError(f"it never ends: {self.log[-5:]}")


def ignore(rack: SimulatedUpgrade, subject: str, is_killed: bool) -> None:
    pass


def skip(rack: SimulatedUpgrade, node: str, is_killed: bool) -> None:
    rack.progress = rack.progress.verify(node)


def pause(rack: SimulatedUpgrade, service: str, is_killed: bool) -> None:
    """What is owed is on the disk before it is asked for."""
    rack.progress = rack.progress.pause(service)
    if not is_killed:
        rack.ending.add(service)


def await_end(rack: SimulatedUpgrade, service: str, is_killed: bool) -> None:
    rack.ending.add(service)


def begin(rack: SimulatedUpgrade, node: str, is_killed: bool) -> None:
    if not is_killed:
        wants_reboot = needs_reboot(rack.hosts[node].describe())
        rack.progress = rack.progress.begin(node, (), wants_reboot)


def start(act: str) -> Callable[[SimulatedUpgrade, str, bool], None]:
    def start_act(rack: SimulatedUpgrade, node: str, is_killed: bool) -> None:
        boot_id = f"boot-{rack.hosts[node].boot}"
        if act == "firmware":
            rack.progress = rack.progress.owe_reboot(node, boot_id)
        rack.hosts[node].running = act
        if not is_killed:
            rack.progress = rack.progress.note_act(node, act, boot_id)

    return start_act


def reboot(rack: SimulatedUpgrade, node: str, is_killed: bool) -> None:
    host = rack.hosts[node]
    rack.progress = rack.progress.note_reboot(node, f"boot-{host.boot}")
    if not is_killed:
        host.boot, host.away_turns, host.requires_reboot = host.boot + 1, 3, False


def verify(rack: SimulatedUpgrade, node: str, is_killed: bool) -> None:
    if is_killed:
        return
    if rack.hosts[node].breaks:
        rack.progress = rack.progress.fail(f"{node}: gpu")
    else:
        rack.progress = rack.progress.verify(node)


def resume(rack: SimulatedUpgrade, service: str, is_killed: bool) -> None:
    rack.alive.add(service)


def settle(rack: SimulatedUpgrade, service: str, is_killed: bool) -> None:
    if not is_killed:
        rack.progress = rack.progress.resume(service)


ACT = {
    "skip": skip,
    "pause": pause,
    "await-end": await_end,
    "begin": begin,
    "packages": start("packages"),
    "firmware": start("firmware"),
    "reboot": reboot,
    "verify": verify,
    "resume": resume,
    "settle": settle,
}
PACKAGES = st.lists(
    st.sampled_from(["libc6", "linux-image-7", "docker-ce"]), max_size=2, unique=True
).map(tuple)


@st.composite
def build_rack(draw: st.DrawFn) -> SimulatedUpgrade:
    count = draw(st.integers(1, 4))
    hosts = {
        name: SimulatedHost(
            packages=draw(PACKAGES),
            firmware=draw(st.booleans()),
            held=("nvidia-driver-580-open",) if draw(st.booleans()) else (),
            requires_reboot=draw(st.booleans()),
        )
        for name in NAMES[:count]
    }
    members = st.lists(st.sampled_from(NAMES[:count]), min_size=1, unique=True).map(tuple)
    services = draw(st.dictionaries(st.sampled_from(["qwen", "gemma"]), members))
    alive = {name for name in services if draw(st.booleans())}
    return SimulatedUpgrade(hosts, services, alive=alive)


def list_touched(rack: SimulatedUpgrade) -> list[str]:
    kinds = ("packages", "firmware", "reboot")
    return [action.subject for action in rack.log if action.kind in kinds]


@settings(max_examples=300, deadline=None)
@given(build_rack(), st.frozensets(st.integers(0, 60), max_size=8))
def test_whenever_it_is_killed_every_node_is_done_in_order_and_the_services_serve_again(
    rack: SimulatedUpgrade, kills: frozenset[int]
) -> None:
    alive = set(rack.alive)
    wanted = {name: set(host.packages) for name, host in rack.hosts.items()}
    assert rack.run(kills).kind == "finish"
    assert rack.alive == alive, "what served serves again, and nothing else"
    assert rack.progress.paused == ()
    assert set(rack.progress.verified) == set(rack.hosts)
    for name, host in rack.hosts.items():
        assert not host.packages
        assert not host.firmware
        assert set(host.installed) == wanted[name], "no held package is among them"
    touched = list(dict.fromkeys(list_touched(rack)))
    assert touched == [name for name in order_nodes(list(rack.hosts)) if name in touched]


@settings(max_examples=200, deadline=None)
@given(build_rack(), st.frozensets(st.integers(0, 60), max_size=4))
def test_a_service_is_ended_before_any_of_its_nodes_is_touched(
    rack: SimulatedUpgrade, kills: frozenset[int]
) -> None:
    turns: list[tuple[UpgradeAction, set[str]]] = []
    for turn in range(MOST_TURNS):
        alive = set(rack.alive)
        action = rack.take_turn(turn in kills)
        turns.append((action, alive))
        if action.kind == "finish":
            break
    for action, alive in turns:
        if action.kind in ("packages", "firmware", "reboot"):
            assert not [name for name in alive if action.subject in rack.services[name]]


@settings(max_examples=200, deadline=None)
@given(build_rack(), st.sampled_from(NAMES), st.booleans())
def test_a_node_that_fails_stops_the_rest(
    rack: SimulatedUpgrade, name: str, is_package: bool
) -> None:
    host = rack.hosts.get(name)
    if host is None:
        return
    host.packages, host.fails_packages, host.breaks = ("libc6",), is_package, not is_package
    before = list(rack.hosts)
    assert rack.run().kind == "stop"
    later = order_nodes(before)[order_nodes(before).index(name) + 1 :]
    assert not set(later) & set(list_touched(rack))


def test_after_a_failure_the_node_is_tried_once_more() -> None:
    host = SimulatedHost(packages=("libc6",), fails_packages=True)
    rack = SimulatedUpgrade({"spark-1": host}, {})
    assert rack.run().reason == "spark-1: E: broken"
    host.fails_packages = False
    host.failure = None
    rack.progress = rack.progress.fail("spark-1: E: broken").retry()
    assert rack.run().kind == "finish"


@pytest.mark.parametrize(
    ("updates", "reason"),
    [
        (None, "spark-1 does not answer"),
        (NodeUpdates("b", Unread("no apt-get"), (), False, RunState()), "spark-1: no apt-get"),
        (
            NodeUpdates("b", AptUpdates((), (), (), None), (), True, RunState(True)),
            "spark-1: another update runs",
        ),
    ],
)
def test_what_is_not_known_is_not_begun(updates: NodeUpdates | None, reason: str) -> None:
    known = {"spark-1": updates} if updates else {}
    view = UpgradeView(("spark-1",), known, (), UpgradeProgress("p/s"))
    assert decide_next(view) == UpgradeAction("stop", "spark-1", reason)


def test_a_service_that_nobody_could_start_again_is_not_ended() -> None:
    host = SimulatedHost(packages=("libc6",)).describe()
    sight = ServiceSight("qwen", ("spark-1",), is_alive=True, is_kept=False)
    view = UpgradeView(("spark-1",), {"spark-1": host}, (sight,), UpgradeProgress("p/s"))
    assert "without a supervisor; `pulumi up`" in decide_next(view).reason
