"""Killed anywhere on its way, the rack still comes to the declared state, or back to what it was.

Each point is one resource's run on its node, stopped before one of its effects. There the engine,
the run or the node is killed. Then either one `up` brings the rack to the declared state, or one
`destroy`, without a further `up`, gives the machines back.

A `destroy` is killed on its way too. Every resource has one round by default, kinds of kill and
ways on in turn; with SPARKFORM_RACK_ROUNDS=all there is a round for every combination.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, product

import pytest

from node.places import ARMED, LIBRARY, MANIFEST, RECEIPTS, ZIPAPP
from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.digest import Digest, changes, digest
from tests.support.killing import ENGINE, PROCESS, REBOOT, Victim
from tests.support.pausing import Point
from tests.support.rack import RackHandle
from tests.support.rounds import ALL_ROUNDS

pytestmark = [pytest.mark.rack, pytest.mark.rounds]

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
        Point(("install",), moved(f"{RECEIPTS}/anchor.json")),
    ],
    step("host_ready", ("run loginctl enable-linger", 1, 0)),
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
    step("fabric_confirm", (f"os.remove {ARMED}", 1, 0)),
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
    """Moments, kinds and ways on in turn. A step that both nodes have goes on both ways."""
    kinds, ways = cycle(KINDS), {HOSTS[0]: cycle((UP, DESTROY)), HOSTS[1]: cycle((DESTROY, UP))}
    ups = [
        Round(host, points[number % len(points)], kind, UP, next(ways[host]))
        for number, ((host, points), kind) in enumerate(zip(resources(), kinds, strict=False))
    ]
    downs = [
        Round(host, GOING_BACK[number], KINDS[number], DESTROY, DESTROY)
        for number, host in enumerate(HOSTS)
    ]
    return ups + downs


ROUNDS = every_round() if ALL_ROUNDS else one_round_each()


@pytest.fixture(scope="module")
def nodes(rack: RackFactory) -> RackHandle:
    made = rack(nodes=len(HOSTS), fabric="direct")
    for host in made.hosts:
        made.must(host, PIN)
    return made


@pytest.fixture(scope="module")
def deployment(nodes: RackHandle, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    made = Deployment.on(nodes, tmp_path_factory.mktemp("deployment"))
    made.cluster["swarm"] = {"enabled": True}
    return made


@pytest.fixture(scope="module")
def before(nodes: RackHandle) -> Digest:
    return digest(nodes)


@pytest.fixture(scope="module", autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Says in the end at how many points something was killed, and before what."""
    struck: list[str] = []
    yield struck
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        lines = "\n  ".join(struck)
        print(f"\n{len(struck)} injection points, each reached and killed at:\n  {lines}")


@contextmanager
def given_back_if_it_fails(deployment: Deployment) -> Iterator[None]:
    """So that a failure in one round is none in the next."""
    try:
        yield
    except BaseException:
        deployment.run("destroy", "--yes", "--skip-preview")
        raise


@pytest.mark.parametrize("one", ROUNDS, ids=str)
def test_after_a_kill_the_rack_comes_to_what_is_declared_and_back_to_what_it_was(
    one: Round, nodes: RackHandle, deployment: Deployment, before: Digest, tally: list[str]
) -> None:
    with given_back_if_it_fails(deployment):
        if one.command == DESTROY:
            deployment.up()
        victim = Victim(deployment, nodes, one.host)
        effect = victim.strike(one.command, one.point, one.kind, one.then)
        tally.append(f"{one.host} {' '.join(one.point.words)}, {one.kind}, before: {effect}")
        if one.then == UP:
            assert deployment.up().changed == set()
            deployment.destroy()
        assert changes(before, digest(nodes)) == [], deployment.said()
