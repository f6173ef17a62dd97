"""A cluster in memory under the real duties of supervisors: ranks, disks, messages, a clock.

What is simulated is the world alone. Each round checks that no two epochs are alive, that a rank
starts at most once an epoch, and that nothing stops a group that works.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from node.errors import StepError
from node.host.typed_json import parse
from node.supervision.group_duty import GroupDuty
from node.supervision.member import RankSight
from node.supervision.member_duty import MemberDuty, open_duty
from node.supervision.messages import MemberReport, Order
from node.supervision.moment import Moment
from node.supervision.orders import build_order
from node.supervision.situation import GroupView, Situation
from node.supervision.state import MemberRecord, Phase, SupervisionState, Turn
from node.supervision.target import SupervisionTarget
from node.supervision.turns import find_turn

LOAD_S = 20.0
START_LIMIT_S = 120.0
STALL_S = 85.0
SILENT_S = 10.0
TASK_DELAY_S = 2.0
RESTART_S = 5.0
"""Of a killed supervisor, by systemd."""


class SupervisorKilled(Exception):
    """At an effect: nothing after it happens."""


class InvariantBroken(AssertionError):
    """What must never be was seen."""


@dataclass
class LiveRank:
    epoch: int
    run_id: str
    started_s: float
    is_hung: bool = False


@dataclass
class SimulatedNode:
    """One machine. `kill_in`: effects until its supervisor is killed; `disk` is what was written.

    It is the hands of its supervisor.
    """

    cluster: SupervisedCluster
    name: str
    rank: int | None
    boot: int = 1
    booted_s: float = 0.0
    is_up: bool = True
    has_docker: bool = True
    is_full: bool = False
    is_cut: bool = False
    is_present: bool = True
    start_error: str = ""
    hangs_at_start: bool = False
    live: LiveRank | None = None
    disk: SupervisionState | None = None
    duty: MemberDuty | None = None
    group: GroupDuty | None = None
    situation: Situation | None = None
    order: Order | None = None
    report: MemberReport | None = None
    sent: dict[str, tuple[float, MemberReport]] = field(default_factory=dict)
    kill_in: int | None = None
    supervised_after_s: float = 0.0
    idle_since_s: float | None = None

    def read_moment(self) -> Moment:
        return Moment(f"{self.name}-{self.boot}", self.cluster.now_s - self.booted_s)

    def look(self, record: MemberRecord) -> RankSight:
        if not self.has_docker:
            return RankSight(unknown="Docker does not answer")
        ended = "exit code 137 (SIGKILL)"
        if self.live:
            self.idle_since_s = None
            return RankSight((self.live.run_id,), self.is_present, ended)
        self.idle_since_s = self.idle_since_s or self.cluster.now_s
        waited_s = self.cluster.now_s - self.idle_since_s
        turn = find_turn(self.cluster.read_turns(self), self.cluster.target.earlier, waited_s)
        return RankSight((), self.is_present, ended, turn=turn)

    def save(self, state: SupervisionState) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.cluster.reach_effect(self)
        self.disk = state
        self.cluster.reach_effect(self)

    def stop(self, run_ids: Sequence[str]) -> None:
        self.cluster.reach_effect(self)
        if not self.has_docker:
            raise StepError("Docker does not answer")
        self.cluster.end_rank(self)
        self.cluster.reach_effect(self)

    def start(self) -> str | None:
        assert self.duty is not None
        self.cluster.reach_effect(self)
        if self.cluster.is_swarm:
            return None
        if self.start_error or not self.has_docker:
            raise StepError(self.start_error or "Docker does not answer")
        self.cluster.start_rank(self, self.duty.state.member.epoch)
        self.cluster.reach_effect(self)
        return self.live.run_id if self.live else None


@dataclass
class SupervisedCluster:
    """`tasks`: those that the Swarm was told to have, by rank: the epoch of that order, and since
    when; a task that has ended stays, and is not started again."""

    target: SupervisionTarget
    random: random.Random
    loss: float = 0.0
    now_s: float = 0.0
    nodes: list[SimulatedNode] = field(default_factory=list)
    tasks: dict[int, tuple[int, float]] = field(default_factory=dict)
    starts: Counter[tuple[int, int]] = field(default_factory=Counter)
    runs: int = 0
    requested: bool = False
    pause_requested: bool = False
    may_stop: bool = False
    broken_s: float | None = None
    phases: set[Phase] = field(default_factory=set)
    neighbour: SupervisedCluster | None = None

    @property
    def is_swarm(self) -> bool:
        return self.target.runtime == "swarm"

    @property
    def head(self) -> SimulatedNode:
        return self.nodes[0]

    @property
    def coordinator(self) -> SimulatedNode:
        return next(node for node in self.nodes if node.rank == 0)

    @property
    def members(self) -> list[SimulatedNode]:
        return [node for node in self.nodes if node.rank is not None]

    @property
    def phase(self) -> Phase | None:
        group = self.coordinator.group
        return group.record.phase if group else None

    @property
    def is_working(self) -> bool:
        """Whether tokens come: all ranks of one start are alive, loaded, and none hangs."""
        live = [node.live for node in self.members if node.live and node.is_up]
        if len(live) < len(self.members) or any(rank.is_hung for rank in live):
            return False
        started_s = max(rank.started_s for rank in live)
        is_loaded = self.now_s - started_s >= LOAD_S or started_s == 0
        return is_loaded and len({rank.epoch for rank in live}) == 1

    @property
    def is_loading(self) -> bool:
        """Whether a rank was started a moment ago."""
        started_s = [node.live.started_s for node in self.members if node.live]
        return any(at_s > 0 and self.now_s - at_s < LOAD_S for at_s in started_s)

    def read_turns(self, node: SimulatedNode) -> dict[str, Turn | None]:
        """Of the neighbour that shares the node, as its supervisor has written it there."""
        if self.neighbour is None:
            return {}
        order = self.neighbour.nodes[self.nodes.index(node)].order
        return {self.neighbour.target.service: order.turn if order else None}

    def start_rank(self, node: SimulatedNode, epoch: int) -> None:
        if node.live is not None:
            return
        assert node.rank is not None
        self.runs += 1
        run_id = f"{node.name}-run-{self.runs}"
        node.live = LiveRank(epoch, run_id, self.now_s, node.hangs_at_start)
        self.starts[node.rank, epoch] += 1
        if self.starts[node.rank, epoch] > 1:
            raise InvariantBroken(f"rank {node.rank} started twice in epoch {epoch}")
        self.check_epochs()

    def check_epochs(self) -> None:
        epochs = {node.live.epoch for node in self.members if node.live}
        if len(epochs) > 1:
            raise InvariantBroken(f"two epochs are alive: {sorted(epochs)}")

    def end_rank(self, node: SimulatedNode) -> None:
        """By the supervisor's hand."""
        if self.is_working and not self.may_stop:
            raise InvariantBroken(f"{node.name} stops a group that works")
        node.live = None

    def reach_effect(self, node: SimulatedNode) -> None:
        if node.kill_in is None:
            return
        node.kill_in -= 1
        if node.kill_in < 0:
            node.kill_in = None
            raise SupervisorKilled

    def kill_supervisor(self, node: SimulatedNode) -> None:
        node.duty = node.group = node.situation = node.order = node.report = None
        node.sent.clear()
        node.supervised_after_s = self.now_s + RESTART_S

    def close_supervisor(self, node: SimulatedNode) -> None:
        """It ends in good order, as at a shutdown."""
        if node.duty and node.disk and not node.is_full:
            node.disk = replace(node.disk, boot=replace(node.disk.boot, is_closed=True))
        self.kill_supervisor(node)

    def power_off(self, node: SimulatedNode, clean: bool) -> None:
        if clean:
            self.close_supervisor(node)
        self.kill_supervisor(node)
        node.live, node.is_up = None, False

    def power_on(self, node: SimulatedNode) -> None:
        if node.is_up:
            return
        node.is_up, node.boot, node.booted_s = True, node.boot + 1, self.now_s

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.step()

    def step(self) -> None:
        self.now_s += 1.0
        self.run_tasks()
        for node in self.random.sample(self.nodes, len(self.nodes)):
            if node.is_up and self.now_s >= node.supervised_after_s:
                try:
                    self.supervise(node)
                except SupervisorKilled:
                    self.kill_supervisor(node)
        self.check_epochs()
        self.broken_s = None if self.is_working else self.broken_s or self.now_s
        if self.phase:
            self.phases.add(self.phase)

    def supervise(self, node: SimulatedNode) -> None:
        if node.duty is None:
            node.duty = open_duty(self.target_of(node), node, node.disk)
            if node.duty is None:
                return
        if node.rank == 0:
            node.group = node.group or GroupDuty(node.duty)
            self.coordinate(node)
        node.report = node.duty.advance(node.order)
        if node is self.head and self.is_swarm:
            self.scale(node)

    def coordinate(self, node: SimulatedNode) -> None:
        assert node.group is not None
        node.situation = node.group.advance(self.build_view(node))
        if self.requested and node.group.record.stage != "settled":
            self.requested = False
        if self.pause_requested and node.group.record.phase == "paused":
            self.pause_requested = False
        for other in self.nodes:
            order = build_order(node.situation, other.rank)
            if other is node:
                node.order = order
            elif self.is_heard(node, other):
                other.order = order
                if other.report is not None and self.random.random() >= self.loss:
                    node.sent[other.name] = (self.now_s, other.report)

    def is_heard(self, node: SimulatedNode, other: SimulatedNode) -> bool:
        is_reachable = other.is_up and not (node.is_cut or other.is_cut)
        return is_reachable and other.duty is not None and self.random.random() >= self.loss

    def build_view(self, node: SimulatedNode) -> GroupView:
        assert node.group is not None
        heard = {**node.sent}
        if node.report is not None:
            failure = "silence" if self.loads_too_long() else None
            heard[node.name] = (self.now_s, replace(node.report, failure=failure))
        ranks = {other.name: other.rank for other in self.members}
        reports = {rank: heard[name][1] for name, rank in ranks.items() if name in heard}
        silent = {
            rank: "does not answer"
            for name, rank in ranks.items()
            if name not in heard or self.now_s - heard[name][0] > SILENT_S
        }
        broken_s = self.now_s - self.broken_s if self.broken_s is not None else 0.0
        is_loading = node.group.record.stage == "loading"
        head_heard = heard.get(self.head.name) if self.is_swarm else None
        head_age_s = self.now_s - head_heard[0] if head_heard else None
        is_head_silent = self.is_swarm and (head_age_s is None or head_age_s > SILENT_S)
        return GroupView(
            now=node.read_moment(),
            now_unix_s=self.random.random() * 1e9,
            reports={rank: report for rank, report in reports.items() if rank is not None},
            silent={rank: why for rank, why in silent.items() if rank is not None},
            head=head_heard[1] if head_heard else None,
            head_silent="does not answer" if is_head_silent else None,
            is_answering=self.is_working,
            stall="no sign of work" if broken_s >= STALL_S and not is_loading else None,
            is_requested=self.requested,
            is_pause_requested=self.pause_requested,
        )

    def loads_too_long(self) -> bool:
        started_s = max((node.live.started_s for node in self.members if node.live), default=0.0)
        return not self.is_working and self.now_s - started_s >= START_LIMIT_S

    def scale(self, node: SimulatedNode) -> None:
        """The head's role in a Swarm."""
        assert node.duty is not None
        assert node.report is not None
        order = node.order
        if not node.has_docker:
            return
        if order is not None and order.epoch == node.duty.state.member.epoch:
            for rank in order.down:
                self.drop_task(rank)
            for rank in order.up:
                self.tasks.setdefault(rank, (order.epoch, self.now_s))
        node.report = replace(node.report, scaled=tuple(sorted(self.tasks)))

    def drop_task(self, rank: int) -> None:
        if rank not in self.tasks:
            return
        node = next(node for node in self.members if node.rank == rank)
        if not node.is_up or node.has_docker:
            if node.live:
                self.end_rank(node)
            self.tasks.pop(rank, None)

    def run_tasks(self) -> None:
        """A Swarm starts the container of a task a little later, and once."""
        for rank, (epoch, since_s) in list(self.tasks.items()):
            node = next(node for node in self.members if node.rank == rank)
            is_due = self.now_s - since_s >= TASK_DELAY_S and since_s >= 0
            if is_due and node.is_up and node.has_docker:
                self.tasks[rank] = (epoch, -1.0)
                self.start_rank(node, epoch)

    def target_of(self, node: SimulatedNode) -> SupervisionTarget:
        return replace(self.target, node=node.name)

    def destroy(self, supervisors_first: bool = True) -> None:
        """As `destroy` does it, interleaved with the supervisors that still live."""
        self.may_stop = True
        order = [self.coordinator, *(node for node in self.nodes if node.rank != 0)]
        if supervisors_first:
            for node in order:
                self.close_supervisor(node)
                node.supervised_after_s = float("inf")
        for node in order:
            self.step()
            node.live = None
            if node.rank is not None:
                self.tasks.pop(node.rank, None)
        self.tasks.clear()
        self.run(30)
        if any(node.live for node in self.nodes):
            raise InvariantBroken("a rank is alive after destroy")


def build_cluster(
    size: int, runtime: str, seed: int, loss: float = 0.0, max_restarts: int = 1000
) -> SupervisedCluster:
    """A group that serves: `up` has started it, and the supervisors begin. In a Swarm the head is
    node 0; with `size` + 1 nodes it is no rank's."""
    first = 1 if runtime == "swarm" and seed % 2 else 0
    names = [f"spark-{number}" for number in range(size + first)]
    address = {"address": "10.0.0.1", "port": 7680}
    document = {
        "service": "qwen",
        "token": "4be1-1",
        "runtime": runtime,
        "engine": "vllm",
        "node": names[0],
        "ranks": [
            {"rank": rank, "node": names[rank + first], "name": "r", **address}
            for rank in range(size)
        ],
        "url": "http://10.0.0.1:8000",
        "served_name": "m",
        "key_file": None,
        "over_rdma": True,
        "limits": {
            "ready_timeout_s": 3600,
            "silence_timeout_s": 600,
            "max_restarts": max_restarts,
        },
        "swarm_head": {"node": names[0], **address} if runtime == "swarm" else None,
    }
    target = parse(SupervisionTarget, document, "target")
    cluster = SupervisedCluster(target, random.Random(seed), loss)
    for index, name in enumerate(names):
        rank = index - first if index >= first else None
        node = SimulatedNode(cluster, name, rank)
        cluster.nodes.append(node)
        if rank is not None:
            cluster.start_rank(node, 1)
            if runtime == "swarm":
                cluster.tasks[rank] = (1, -1.0)
    return cluster


Fault = Callable[[SupervisedCluster, SimulatedNode], None]


def kill_rank(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    node.live = None


def hang_rank(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    if node.live:
        node.live.is_hung = True


def kill_supervisor(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    cluster.kill_supervisor(node)


def kill_at_an_effect(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    node.kill_in = cluster.random.randrange(6)


def shut_down(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    cluster.power_off(node, clean=True)


def cut_power(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    cluster.power_off(node, clean=False)


def shut_all_down(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    for other in cluster.nodes:
        cluster.power_off(other, clean=True)


def cut_management(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    node.is_cut = True


def stop_docker(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    node.has_docker, node.live = False, None


def restart_docker_under_a_living_rank(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    node.has_docker = False


def fill_disk(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    node.is_full = True


def lose_disk(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    """State and supervisor; the rank goes on."""
    cluster.kill_supervisor(node)
    node.disk = None


def restore_an_old_disk(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    """With the reboot that this takes."""
    old = SupervisionState("4be1-1", replace(MemberRecord(), epoch=1))
    cluster.power_off(node, clean=True)
    node.disk = old


def ask_for_a_restart(cluster: SupervisedCluster, node: SimulatedNode) -> None:
    cluster.requested = cluster.may_stop = True


def ask_for_a_pause(cluster: SupervisedCluster) -> None:
    cluster.pause_requested = cluster.may_stop = True


def heal(cluster: SupervisedCluster) -> None:
    """Faults end: machines are on, networks whole, disks have room."""
    for node in cluster.nodes:
        cluster.power_on(node)
        node.has_docker, node.is_cut, node.is_full = True, False, False
