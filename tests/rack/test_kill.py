"""Killed anywhere on its way, the rack still comes to the declared state, or back to what it was.

Each point is one resource's run on its node, stopped before one of its effects. There the engine,
the run or the node is killed. Then either one `up` brings the rack to the declared state, or one
`destroy`, without a further `up`, gives the machines back.

A `destroy` is killed on its way too. Every step has one round by default, nodes, moments, kinds of
kill and ways on in turn; `make rounds` runs every other combination.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from node.host.paths import ARMED_NETWORK, LIBRARY, MANIFEST, RECEIPTS, ZIPAPP
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.digest import Digest, compute_digest, list_changes
from tests.support.killing import ENGINE, PROCESS, REBOOT, Victim
from tests.support.pausing import Point
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

HOSTS = ("spark-1", "spark-2")
KINDS = (ENGINE, PROCESS, REBOOT)
UP, DESTROY = "up", "destroy"
# Something to do for the step nccl_conf.
PIN = "echo NCCL_IB_DISABLE=1 | sudo tee /etc/nccl.conf"


def describe_move(path: str) -> str:
    """The moment before a written draft takes its place."""
    folder, _, name = path.rpartition("/")
    return f"os.rename {folder}/.{name}."


def list_points(name: str, *moments: tuple[str, int, int]) -> list[Point]:
    """Moments as (text of an effect, which of them, how many effects later), and one more: all is
    done, and nobody was told."""
    run = ("apply", name)
    unsaid = Point(run, describe_move(f"{RECEIPTS}/{name}.json"))
    return [*(Point(run, *moment) for moment in moments), unsaid]


RECORDED = (f"open {MANIFEST}", 1, 1)  # in the manifest, and not yet made
JOINED = (f"open {MANIFEST}", 2, 0)  # made, and not yet in the manifest
NODE_POINTS = [
    [
        Point(("install",), describe_move(ZIPAPP)),
        Point(("install",), describe_move(f"{RECEIPTS}/agent.json")),
    ],
    list_points("prerequisites", ("run loginctl enable-linger", 1, 0)),
    list_points(
        "docker_daemon",
        (describe_move("/etc/docker/daemon.json"), 1, 0),
        ("run systemctl restart docker.service", 1, 0),
    ),
    list_points("nccl_conf", (describe_move("/etc/nccl.conf"), 1, 0)),
    list_points(
        "fabric_address",
        (describe_move("/etc/netplan/60-sparkform.yaml"), 1, 0),
        ("run netplan apply", 1, 0),
    ),
    list_points("fabric_confirm", (f"os.remove {ARMED_NETWORK}", 1, 0)),
    list_points("fabric_check:0", ("run ping", 1, 0)),
    list_points("swarm", RECORDED, JOINED),
]
DESTROY_POINTS = [
    Point(("undo", "--all"), text)
    for text in (
        "run netplan apply",
        "run systemctl restart docker.service",
        f"os.remove {MANIFEST}",
        f"os.remove {ZIPAPP}",
        f"os.rmdir {LIBRARY}",
    )
]
HEAD_POINTS = [list_points("swarm_token"), list_points("swarm_labels", RECORDED, JOINED)]


@dataclass(frozen=True)
class KillRound:
    """`command` is killed, `then` must succeed."""

    host: str
    point: Point
    kind: str
    command: str
    recovery: str

    def __str__(self) -> str:
        return f"{self.host}-{'-'.join(self.point.run)}-{self.kind}-{self.recovery}"


def list_resources() -> list[tuple[str, list[Point]]]:
    """Each resource that does something on a node, with its moments."""
    return [*product(HOSTS, NODE_POINTS), *product(HOSTS[:1], HEAD_POINTS)]


def list_rounds() -> list[KillRound]:
    combinations = list(product(KINDS, (UP, DESTROY)))
    ups = [(host, point) for host, points in list_resources() for point in points]
    downs = list(product(HOSTS, DESTROY_POINTS))
    return [
        KillRound(host, point, kind, command, recovery)
        for command, pairs in ((UP, ups), (DESTROY, downs))
        for (host, point), (kind, recovery) in product(pairs, combinations)
    ]


def choose_rounds() -> list[KillRound]:
    """Nodes, moments, kinds and ways on in turn."""
    hosts, kinds, recoveries = cycle(HOSTS), cycle(KINDS), cycle((UP, UP, DESTROY, DESTROY))
    steps = [(next(hosts), points) for points in NODE_POINTS]
    steps += [(HOSTS[0], points) for points in HEAD_POINTS]
    ups = [
        KillRound(host, points[number % len(points)], next(kinds), UP, next(recoveries))
        for number, (host, points) in enumerate(steps)
    ]
    downs = [
        KillRound(host, DESTROY_POINTS[number], KINDS[number], DESTROY, DESTROY)
        for number, host in enumerate(HOSTS)
    ]
    return ups + downs


def mark_rounds() -> list[ParameterSet]:
    chosen = choose_rounds()
    return [
        pytest.param(
            kill_round, id=str(kill_round), marks=[] if kill_round in chosen else pytest.mark.rounds
        )
        for kill_round in list_rounds()
    ]


@dataclass(frozen=True)
class PristineRack:
    """A rack as it was before anything came, and a stack for it."""

    nodes: RackHandle
    deployment: Deployment
    before: Digest

    @classmethod
    def create(cls, nodes: RackHandle, folder: Path) -> PristineRack:
        for host in nodes.hosts:
            nodes.must(host, PIN)
        deployment = Deployment.create(nodes, folder)
        deployment.cluster["swarm"] = {"enabled": True}
        return cls(nodes, deployment, compute_digest(nodes))


@dataclass
class PristineRacks:
    """One ground for all rounds, until one fails: a failure in one round is none in the next."""

    rack: RackFactory
    folders: pytest.TempPathFactory
    current: PristineRack | None = None

    @contextmanager
    def hold(self) -> Iterator[PristineRack]:
        if self.current is None:
            nodes = self.rack(nodes=len(HOSTS), fabric="direct")
            self.current = PristineRack.create(nodes, self.folders.mktemp("deployment"))
        try:
            yield self.current
        except BaseException:
            self.rack.take_down()
            self.current = None
            raise


@pytest.fixture(scope="module")
def pristine_racks(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> PristineRacks:
    return PristineRacks(rack, tmp_path_factory)


@pytest.fixture(scope="module", autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Says in the end at how many points something was killed, and before what."""
    struck: list[str] = []
    yield struck
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        lines = "\n  ".join(struck)
        print(f"\n{len(struck)} injection points, each reached and killed at:\n  {lines}")


@pytest.mark.parametrize("kill_round", mark_rounds())
def test_after_a_kill_the_rack_comes_to_what_is_declared_and_back_to_what_it_was(
    kill_round: KillRound, pristine_racks: PristineRacks, tally: list[str]
) -> None:
    with pristine_racks.hold() as pristine:
        deployment = pristine.deployment
        if kill_round.command == DESTROY:
            deployment.up()
        victim = Victim(deployment, pristine.nodes, kill_round.host)
        effect = victim.kill_and_recover(
            kill_round.command, kill_round.point, kill_round.kind, kill_round.recovery
        )
        tally.append(
            f"{kill_round.host} {' '.join(kill_round.point.run)}, {kill_round.kind}, "
            f"before: {effect}"
        )
        if kill_round.recovery == UP:
            assert deployment.up().changed == set()
            deployment.destroy()
        assert list_changes(pristine.before, compute_digest(pristine.nodes)) == [], (
            deployment.read_output()
        )
