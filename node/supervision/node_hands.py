"""The hands of a supervisor on a real node: ranks through Docker and systemd, files, memory.

The node's lock is not taken: whoever else starts or ends ranks, or writes these files, has ended
the supervisor before (node.ranks.supervisors).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from node.errors import StepError
from node.host import page_cache
from node.host.output import print_now
from node.host.system import System
from node.ranks import finding, shared_memory, units
from node.ranks.capacity import read_available_kib
from node.ranks.rank import UNIT, NodeRanks, Rank
from node.ranks.starting import start_rank
from node.ranks.stopping import stop_rank
from node.supervision import prerequisites, stale_locks, turns
from node.supervision.gpu_power import learn_power_w
from node.supervision.member import RankSight
from node.supervision.memory_return import MemoryReading, is_memory_back
from node.supervision.moment import Moment, read_moment
from node.supervision.rank_watch import LocalWatch
from node.supervision.state import LearnedValues, MemberRecord, SupervisionState, write_state
from node.supervision.target import SupervisionTarget

PORT_GRACE_S = 10.0
"""How long what is left of a rank may hold its port; afterwards a stranger does."""


@dataclass
class SystemHands:
    """`ranks`: as seen last. `watch`: that of the recorded run. `learned` is kept in the state."""

    system: System
    target: SupervisionTarget
    key: str | None
    learned: LearnedValues = field(default_factory=LearnedValues)
    ranks: tuple[Rank, ...] = ()
    watch: LocalWatch | None = None
    watched_run: str | None = None
    readings: list[MemoryReading] = field(default_factory=list)

    def read_moment(self) -> Moment:
        return read_moment(self.system)

    def look(self, record: MemberRecord) -> RankSight:
        local = self._find_ranks()
        if local.unknown is not None:
            return RankSight(unknown=local.unknown)
        self.ranks = local.ranks
        live = [rank for rank in local.ranks if _is_live(rank)]
        own_id = record.run.run_id if record.run else None
        self._watch_run(own_id, [get_run_id(rank) for rank in local.ranks if rank.is_started])
        sight = RankSight(
            live=tuple(map(get_run_id, live)),
            is_present=self.target.runtime == "swarm" or self._find_startable() is not None,
            ended=self._note_end(own_id, live),
            lacks=prerequisites.find_lack(self.system, self.learned, self.target.own_endpoint[0]),
            waits=self._await_memory(bool(live)),
        )
        return sight if live else self._look_for_others(sight)

    def _look_for_others(self, sight: RankSight) -> RankSight:
        """Who holds up a rank that does not run: whoever has its ports, and who starts first."""
        waited_s = self.readings[-1].at_s - self.readings[0].at_s
        local = self.target.local_rank
        taken = prerequisites.find_taken_port(self.system, local.ports if local else ())
        others = turns.read_turns(self.system, self.target)
        turn = turns.find_turn(others, self.target.earlier, waited_s)
        if waited_s < PORT_GRACE_S:
            return replace(sight, waits=sight.waits or taken, turn=turn)
        return replace(sight, lacks=sight.lacks or taken, turn=turn)

    def save(self, state: SupervisionState) -> None:
        write_state(self.system, self.target.service, state)

    def stop(self, run_ids: Sequence[str]) -> None:
        for rank in self.ranks:
            if get_run_id(rank) in run_ids:
                stop_rank(self.system, rank)
                print_now(f"{rank.kind} {rank.name}: stopped")
        if self.watch:
            self.watch.keep_log("stopped by the supervisor")
            if self.watch.started_s:
                shared_memory.free(self.system, self.watch.started_s)

    def start(self) -> str | None:
        """The page cache goes first: CUDA on a Spark does not count it as free."""
        self._drop_page_cache()
        if self.learned.available_kib is None and self.readings:
            available_kib = self.readings[-1].available_kib
            self.learned = replace(self.learned, available_kib=available_kib)
        if self.target.runtime == "swarm":
            return None
        rank = self._find_startable()
        if rank is None:
            raise StepError("there is no container or unit to start")
        for path in stale_locks.remove_stale_locks(self.system, rank):
            print_now(f"{path}: lock of a killed build removed")
        start_rank(self.system, rank)
        print_now(f"{rank.kind} {rank.name}: started")
        self.ranks, earlier_id = self._find_ranks().ranks, get_run_id(rank)
        started = self._find_startable()
        # One that has ended already was started, too.
        return get_run_id(started) if started and get_run_id(started) != earlier_id else None

    def is_ready(self, record: MemberRecord) -> bool:
        """Whether a token came from the recorded run."""
        is_own = record.run is not None and record.run.run_id == self.watched_run
        return is_own and self.watch is not None and self.watch.is_ready

    def learn(self) -> None:
        """What the node has while the service serves."""
        self.learned = replace(
            self.learned,
            gpus=prerequisites.list_gpus(self.system),
            rdma_ports=prerequisites.list_active_ports(self.system),
        )

    def learn_power(self, power_w: float) -> None:
        self.learned = replace(self.learned, power_w=learn_power_w(self.learned.power_w, power_w))

    def _find_ranks(self) -> NodeRanks:
        """A native rank needs no Docker."""
        if self.target.local_rank is None:
            return NodeRanks(())
        if self.target.runtime == "native":
            found = units.list_units(self.system)
            return NodeRanks(tuple(unit for unit in found if unit.service == self.target.service))
        return finding.find_local_ranks(self.system, self.target.service)

    def _find_startable(self) -> Rank | None:
        kind = UNIT if self.target.runtime == "native" else "container"
        matches = (
            rank for rank in self.ranks if rank.kind == kind and rank.token == self.target.token
        )
        return next(matches, None)

    def _watch_run(self, run_id: str | None, started: Sequence[str]) -> None:
        if run_id == self.watched_run or run_id not in started or self.target.local_rank is None:
            return
        if self.watch:
            self.watch.close()
        self.watched_run = run_id
        self.watch = LocalWatch(self.system, self.target, self.target.local_rank, self.key)

    def _note_end(self, run_id: str | None, live: Sequence[Rank]) -> str:
        """Why the recorded run ended; its log is kept before anything else happens."""
        if live or self.watch is None or run_id != self.watched_run:
            return ""
        ended = next((rank for rank in self.ranks if get_run_id(rank) == run_id), None)
        cause = self.watch.explain_end(ended)
        self.watch.keep_log(cause)
        return cause

    def _await_memory(self, is_live: bool) -> str | None:
        if is_live:
            self.readings.clear()
            return None
        available_kib = read_available_kib(self.system)
        self.readings.append(MemoryReading(time.monotonic(), available_kib))
        del self.readings[1:-240]
        is_back = is_memory_back(self.readings, self.learned.available_kib)
        return None if is_back else "memory comes back"

    def _drop_page_cache(self) -> None:
        problem = page_cache.drop(self.system)
        if problem:
            print_now(f"the page cache was not dropped: {problem}")


def get_run_id(rank: Rank) -> str:
    """A container that is started again keeps its id."""
    return rank.id if rank.kind == UNIT else f"{rank.id}@{rank.started_s:.6f}"


def _is_live(rank: Rank) -> bool:
    return rank.is_started and not rank.has_ended
