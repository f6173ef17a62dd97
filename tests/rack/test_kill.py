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


def moved(path: str) -> str:
    """The moment before a written draft takes its place."""
    folder, _, name = path.rpartition("/")
    return f"os.rename {folder}/.{name}."


def step(name: str, *moments: tuple[str, int, int]) -> list[Point]:
    """Moments as (text of an effect, which of them, how many effects later), and one more: all is
    done, and nobody was told."""
    words = ("apply", name)
    unsaid = Point(words, moved(f"{RECEIPTS}/{name}.json"))
    return [*(Point(words, *moment) for moment in moments), unsaid]


RECORDED = (f"open {MANIFEST}", 1, 1)  # in the manifest, and not yet made
JOINED = (f"open {MANIFEST}", 2, 0)  # made, and not yet in the manifest
ON_EACH = [
    [
        Point(("install",), moved(ZIPAPP)),
        Point(("install",), moved(f"{RECEIPTS}/agent.json")),
    ],
    step("prerequisites", ("run loginctl enable-linger", 1, 0)),
    step(
        "docker_daemon",
        (moved("/etc/docker/daemon.json"), 1, 0),
        ("run systemctl restart docker.service", 1, 0),
    ),
    step("nccl_conf", (moved("/etc/nccl.conf"), 1, 0)),
    step(
        "fabric_address",
        (moved("/etc/netplan/60-sparkform.yaml"), 1, 0),
        ("run netplan apply", 1, 0),
    ),
    step("fabric_confirm", (f"os.remove {ARMED_NETWORK}", 1, 0)),
    step("fabric_check:0", ("run ping", 1, 0)),
    step("swarm", RECORDED, JOINED),
]
GOING_BACK = [
    Point(("undo", "--all"), text)
    for text in (
        "run netplan apply",
        "run systemctl restart docker.service",
        f"os.remove {MANIFEST}",
        f"os.remove {ZIPAPP}",
        f"os.rmdir {LIBRARY}",
    )
]
ON_THE_HEAD = [step("swarm_token"), step("swarm_labels", RECORDED, JOINED)]


@dataclass(frozen=True)
class Round:
    """`command` is killed, `then` must succeed."""

    host: str
    point: Point
    kind: str
    command: str
    then: str

    def __str__(self) -> str:
        return f"{self.host}-{'-'.join(self.point.words)}-{self.kind}-{self.then}"


def resources() -> list[tuple[str, list[Point]]]:
    """Each resource that does something on a node, with its moments."""
    return [*product(HOSTS, ON_EACH), *product(HOSTS[:1], ON_THE_HEAD)]


def every_round() -> list[Round]:
    ways = list(product(KINDS, (UP, DESTROY)))
    ups = [(host, point) for host, points in resources() for point in points]
    downs = list(product(HOSTS, GOING_BACK))
    return [
        Round(host, point, kind, command, then)
        for command, places in ((UP, ups), (DESTROY, downs))
        for (host, point), (kind, then) in product(places, ways)
    ]


def one_round_each() -> list[Round]:
    """Nodes, moments, kinds and ways on in turn."""
    hosts, kinds, ways = cycle(HOSTS), cycle(KINDS), cycle((UP, UP, DESTROY, DESTROY))
    steps = [(next(hosts), points) for points in ON_EACH]
    steps += [(HOSTS[0], points) for points in ON_THE_HEAD]
    ups = [
        Round(host, points[number % len(points)], next(kinds), UP, next(ways))
        for number, (host, points) in enumerate(steps)
    ]
    downs = [
        Round(host, GOING_BACK[number], KINDS[number], DESTROY, DESTROY)
        for number, host in enumerate(HOSTS)
    ]
    return ups + downs


def marked_rounds() -> list[ParameterSet]:
    chosen = one_round_each()
    return [
        pytest.param(one, id=str(one), marks=[] if one in chosen else pytest.mark.rounds)
        for one in every_round()
    ]


@dataclass(frozen=True)
class Ground:
    """A rack as it was before anything came, and a stack for it."""

    nodes: RackHandle
    deployment: Deployment
    before: Digest

    @classmethod
    def on(cls, nodes: RackHandle, folder: Path) -> Ground:
        for host in nodes.hosts:
            nodes.must(host, PIN)
        deployment = Deployment.on(nodes, folder)
        deployment.cluster["swarm"] = {"enabled": True}
        return cls(nodes, deployment, compute_digest(nodes))


@dataclass
class Grounds:
    """One ground for all rounds, until one fails: a failure in one round is none in the next."""

    rack: RackFactory
    folders: pytest.TempPathFactory
    current: Ground | None = None

    @contextmanager
    def given(self) -> Iterator[Ground]:
        if self.current is None:
            nodes = self.rack(nodes=len(HOSTS), fabric="direct")
            self.current = Ground.on(nodes, self.folders.mktemp("deployment"))
        try:
            yield self.current
        except BaseException:
            self.rack.take_down()
            self.current = None
            raise


@pytest.fixture(scope="module")
def grounds(rack: RackFactory, tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    return Grounds(rack, tmp_path_factory)


@pytest.fixture(scope="module", autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Says in the end at how many points something was killed, and before what."""
    struck: list[str] = []
    yield struck
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        lines = "\n  ".join(struck)
        print(f"\n{len(struck)} injection points, each reached and killed at:\n  {lines}")


@pytest.mark.parametrize("one", marked_rounds())
def test_after_a_kill_the_rack_comes_to_what_is_declared_and_back_to_what_it_was(
    one: Round, grounds: Grounds, tally: list[str]
) -> None:
    with grounds.given() as ground:
        deployment = ground.deployment
        if one.command == DESTROY:
            deployment.up()
        victim = Victim(deployment, ground.nodes, one.host)
        effect = victim.strike(one.command, one.point, one.kind, one.then)
        tally.append(f"{one.host} {' '.join(one.point.words)}, {one.kind}, before: {effect}")
        if one.then == UP:
            assert deployment.up().changed == set()
            deployment.destroy()
        assert list_changes(ground.before, compute_digest(ground.nodes)) == [], (
            deployment.read_output()
        )
