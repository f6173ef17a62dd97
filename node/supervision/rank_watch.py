"""The readiness watch of this node's rank, going on: its log, its signs, its first token."""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass, field

from node.host.output import print_now
from node.host.system import System
from node.ranks import log_archive, signatures
from node.ranks.rank import Rank, format_exit
from node.readiness import probe
from node.readiness.diagnosis import explain_death, explain_signature
from node.readiness.events import Answered
from node.readiness.failure import StartFailure
from node.readiness.judge import Ready
from node.readiness.peers import PeerChannel
from node.readiness.probe import CompletionProbe
from node.readiness.starting import build_request, build_watch
from node.readiness.target import RankEndpoint, WatchTarget
from node.readiness.watch import RankWatch, observe_slice, read_log, take_event
from node.supervision.engine_processes import (
    EngineProcess,
    find_lost,
    has_compiler,
    list_processes,
)
from node.supervision.target import SupervisedRank, SupervisionTarget

SYMPTOM_LENGTH = 120
SUSPICION_S = 20.0
"""How long a line of the log stays suspicious: for the coordinator to hear of it."""

READ_EVERY_S = 2.0
"""Of a rank that serves: reading a journal is a process of its own."""

PROCESSES_EVERY_S = 5.0


def build_watch_target(target: SupervisionTarget, local: SupervisedRank) -> WatchTarget:
    ranks = tuple(map(_build_endpoint, target.ranks))
    return WatchTarget(
        service=target.service,
        token=target.token,
        engine=target.engine,
        runtime=target.runtime,
        ranks=ranks,
        local_rank=_build_endpoint(local),
        url=target.url,
        watch_port=local.port,
        served_name=target.served_name,
        ready_timeout_s=target.limits.ready_timeout_s,
        silence_timeout_s=target.limits.silence_timeout_s,
        key_file=target.key_file,
        over_rdma=target.over_rdma,
        task=target.task,
    )


def _build_endpoint(rank: SupervisedRank) -> RankEndpoint:
    return RankEndpoint(rank.rank, rank.node, rank.name, rank.address)


@dataclass
class LocalWatch:
    """Of one run of this node's rank. `key`: the API's, on the node of rank 0."""

    system: System
    target: SupervisionTarget
    local: SupervisedRank
    key: str | None
    watch: RankWatch = field(init=False)
    suspicion: tuple[float, str] | None = None
    last_words: str = ""
    read_s: float = 0.0
    processes: dict[int, EngineProcess] = field(default_factory=dict)
    lost_process: tuple[float, str] | None = None
    is_compiling: bool = False
    processes_read_s: float = field(default_factory=time.monotonic)
    is_kept: bool = False

    def __post_init__(self) -> None:
        """A follower asks nobody: the coordinator says when the service answers."""
        target = build_watch_target(self.target, self.local)
        request = build_request(target, self.key)
        is_head = self.local.rank == 0
        completion_probe = (
            probe.start(request, False) if is_head else CompletionProbe(request, False)
        )
        secrets = [self.key] if self.key else []
        channel = PeerChannel(target.token)
        self.watch = build_watch(self.system, target, channel, completion_probe, secrets)

    @property
    def is_ready(self) -> bool:
        return isinstance(self.watch.state.outcome, Ready)

    @property
    def failure(self) -> str | None:
        """Why the start cannot succeed."""
        outcome = self.watch.state.outcome
        return _format(outcome) if isinstance(outcome, StartFailure) else None

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self.watch.state.progress_s

    @property
    def started_s(self) -> float:
        """Unix time; 0 where no rank was seen."""
        return self.watch.state.rank.started_s if self.watch.state.rank else 0.0

    def advance(self, peer_silent_s: float | None) -> None:
        """Watch the start to its end, then read on: a fatal line is a suspicion from then on."""
        if peer_silent_s is not None:
            self.watch.channel.peer_progress_s = time.monotonic() - peer_silent_s
        if self.watch.state.outcome is None:
            observe_slice(self.watch)
        elif time.monotonic() - self.read_s >= READ_EVERY_S:
            self._read_on()
            self._watch_processes()

    def _watch_processes(self) -> None:
        """Noted once the service answers and has settled down; each is missed once."""
        now_s, rank = time.monotonic(), self.watch.state.rank
        if rank is None or now_s - self.processes_read_s < PROCESSES_EVERY_S:
            return
        self.processes_read_s = now_s
        self.is_compiling = has_compiler(self.system, self.processes)
        lost = find_lost(self.system, self.processes)
        if lost:
            names = ", ".join(sorted({process.name for process in lost.values()}))
            self.lost_process = (now_s, f"a process of the engine is gone ({names})")
        if lost or not self.processes:
            self.processes = list_processes(self.system, rank)

    def _read_on(self) -> None:
        self.read_s = time.monotonic()
        for line in read_log(self.watch):
            match = signatures.find_first(self.watch.state.signatures, line.text)
            if match is not None:
                self.last_words = f"{match.summary} [{match.id}]"
                if match.final:
                    self.suspicion = (time.monotonic(), self.last_words)

    def mark_ready(self) -> None:
        if self.watch.state.outcome is None:
            take_event(self.watch, Answered(time.monotonic()))

    def get_suspicion(self) -> str | None:
        return _get_recent(self.suspicion)

    def get_lost_process(self) -> str | None:
        return _get_recent(self.lost_process)

    def explain_end(self, rank: Rank | None) -> str:
        """Why the rank ended, as far as its log tells."""
        state = self.watch.state
        if state.outcome is None:
            observe_slice(self.watch)
            state = self.watch.state
            fatal = explain_signature(state.identity, state.fatal) if state.fatal else None
            return _format(fatal or explain_death(state.identity, rank, state.hint))
        self._read_on()
        ending = format_exit(rank) if rank else "its container or unit has ended"
        return self.failure or (f"{ending}; {self.last_words}" if self.last_words else ending)

    def keep_log(self, cause: str) -> None:
        """Once a run. A full disk must not keep a rank from being started again."""
        if self.is_kept:
            return
        self.is_kept = True
        list(read_log(self.watch))
        try:
            path = log_archive.write(
                self.system, self.target.service, [f"# {cause}", *self.watch.lines]
            )
            print_now(f"{self.watch.name}: log kept in {path}")
        except OSError as error:
            print_now(f"{self.watch.name}: the log could not be kept: {error}")

    def close(self) -> None:
        self.watch.probe.closed.set()


def _get_recent(noted: tuple[float, str] | None) -> str | None:
    if noted is None or time.monotonic() - noted[0] > SUSPICION_S:
        return None
    return noted[1]


def _format(failure: StartFailure) -> str:
    symptom = textwrap.shorten(failure.symptom, SYMPTOM_LENGTH)
    return f"{failure.summary} ({symptom}) [{failure.id}]"
