"""The coordinator's means: links to the other nodes, the engine's pulse, requests of people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from node.host.output import print_now
from node.host.system import System
from node.ranks.supervisors import get_drain_path
from node.readiness.probe import CompletionRequest
from node.supervision.caller import FollowerLink
from node.supervision.engine_pulse import EnginePulse, build_reader
from node.supervision.gateway_agent import GatewayAgent
from node.supervision.group_duty import GroupDuty
from node.supervision.member_duty import MemberDuty
from node.supervision.messages import MemberReport, Order
from node.supervision.node_hands import SystemHands
from node.supervision.orders import build_order
from node.supervision.paths import get_pause_path, get_request_path
from node.supervision.pulse import (
    CompilerRead,
    PowerRead,
    PulseEvent,
    PulseState,
    SuspicionRaised,
    find_stall,
    find_suspicion,
)
from node.supervision.report import LiveFigures
from node.supervision.situation import GroupView, Situation
from node.supervision.state import SERVING

"""A suspicion is checked before anything follows from it."""

HEARD_PAUSE_S = 0.1
SILENT_S = 8.0
"""A node that was not heard for so long counts as silent, which alone restarts nothing."""


@dataclass
class Coordination:
    """`links`: by the rank of the node; None is that of a Swarm's head without a rank."""

    system: System
    own: MemberDuty
    hands: SystemHands
    key: str
    request: CompletionRequest
    links: dict[int | None, FollowerLink] = field(default_factory=dict)
    situation: Situation | None = None
    pulse: EnginePulse | None = None
    agent: GatewayAgent | None = None
    raised: set[tuple[int, str]] = field(default_factory=set)
    started_s: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        target = self.own.target
        if target.gateway is not None:
            first = target.coordinator
            self.agent = GatewayAgent(target.gateway, (first.address, first.port))
        for entry in target.ranks:
            if entry.rank != 0:
                self.links[entry.rank] = FollowerLink((entry.address, entry.port))
        head = target.swarm_head
        if head is not None and head.node not in {entry.node for entry in target.ranks}:
            self.links[None] = FollowerLink((head.address, head.port))
        for rank, link in self.links.items():
            link.start(self.key, target.token, self._order_for(rank))

    def advance(self, own_report: MemberReport) -> Order:
        """One round: the order for this node's own rank."""
        view = self._build_view(own_report)
        group = GroupDuty(self.own)
        if any(link.is_upgraded(time.monotonic()) for link in self.links.values()):
            # Who speaks another protocol may be upgraded in a moment: nothing is decided.
            situation = Situation(self.own.target, group.record, view)
        else:
            situation = group.advance(view)
        self._tell_gateway(situation)
        self.situation = situation
        if view.is_requested and self.situation.record.stage != "settled":
            self.system.remove(get_request_path(self.own.target.service))
        if view.is_pause_requested and self.situation.record.phase == "paused":
            self.system.remove(get_pause_path(self.own.target.service))
        self._follow_pulse()
        return build_order(self.situation, 0)

    def get_peer_silent_s(self) -> float | None:
        """Of the other ranks the one that progressed last: ranks wait for each other."""
        reports = [link.report for rank, link in self.links.items() if rank is not None]
        return min((report.silent_s for report in reports if report), default=None)

    def build_figures(self) -> LiveFigures:
        return self.pulse.build_figures(time.monotonic()) if self.pulse else LiveFigures()

    def _tell_gateway(self, situation: Situation) -> None:
        """Before an order follows from the situation, the gateway has heard that it sends no more
        requests."""
        agent, now_s = self.agent, time.monotonic()
        if agent is None:
            return
        was_ready = agent.word == "ready up"
        agent.tell(situation.record.phase in SERVING, self._is_end_wanted(), now_s)
        agent.listen(now_s)
        while was_ready and agent.word == "down" and not agent.is_heard(time.monotonic()):
            time.sleep(HEARD_PAUSE_S)

    def _is_end_wanted(self) -> bool:
        paths = (get_drain_path, get_request_path, get_pause_path)
        return any(map(self._has_file, paths))

    def _is_drained(self, now_s: float) -> bool:
        """Whether ranks may be ended on purpose; who waits for that is told."""
        if self.agent is not None and not self.agent.is_drained(now_s, self._count_under_way()):
            return False
        if self._has_file(get_drain_path):
            self.system.remove(get_drain_path(self.own.target.service))
        return True

    def _count_under_way(self) -> float | None:
        signs = self.pulse.figures.signs if self.pulse and self.pulse.figures else None
        if signs is None or signs.running is None:
            return None
        return signs.running + (signs.waiting or 0)

    def close(self) -> None:
        if self.agent:
            self.agent.close()
        for link in self.links.values():
            link.closed.set()
        if self.pulse:
            self.pulse.closed.set()

    def _order_for(self, rank: int | None) -> Callable[[], Order | None]:
        return lambda: build_order(self.situation, rank) if self.situation else None

    def _build_view(self, own_report: MemberReport) -> GroupView:
        now_s, reports = time.monotonic(), {0: own_report}
        silent, head, head_silent = {}, None, None
        for rank, link in self.links.items():
            reason = self._find_silence(link, now_s)
            if rank is None:
                head, head_silent = link.report, reason
                continue
            if link.report:
                reports[rank] = link.report
            if reason:
                silent[rank] = reason
        head_rank = self._find_head_rank()
        if head_rank is not None:
            head, head_silent = reports.get(head_rank), silent.get(head_rank)
        pulse = self._feel_pulse(now_s, reports)
        is_drained = self._is_drained(now_s)
        return GroupView(
            now=self.hands.read_moment(),
            now_unix_s=time.time(),
            reports=reports,
            silent=silent,
            head=head,
            head_silent=head_silent,
            is_answering=self.hands.is_ready(self.own.state.member),
            stall=find_stall(pulse, now_s) if pulse else None,
            suspicion=find_suspicion(pulse, now_s) if pulse else None,
            is_requested=is_drained and self._has_file(get_request_path),
            is_pause_requested=is_drained and self._has_file(get_pause_path),
            is_busy=self.pulse is not None and self.pulse.is_busy(now_s),
        )

    def _find_silence(self, link: FollowerLink, now_s: float) -> str | None:
        heard_s = link.heard_s if link.heard_s is not None else self.started_s
        if now_s - heard_s < SILENT_S:
            return None
        return f"its supervisor is not heard ({link.problem or 'no answer'})"

    def _find_head_rank(self) -> int | None:
        head = self.own.target.swarm_head
        ranks = [entry.rank for entry in self.own.target.ranks if head and entry.node == head.node]
        return ranks[0] if ranks else None

    def _has_file(self, get_path: Callable[[str], str]) -> bool:
        return self.system.get_state(get_path(self.own.target.service)) is not None

    def _follow_pulse(self) -> None:
        """A pulse is felt while the group serves, and can be asked at its address."""
        is_settled = self.situation is not None and self.situation.record.stage == "settled"
        is_felt = is_settled and self.system.has_address(self.own.target.own_endpoint[0])
        if is_felt and self.pulse is None:
            self.raised.clear()
            state = PulseState(self.own.target.limits, time.monotonic())
            read = build_reader(self.own.target.engine, self.request)
            self.pulse = EnginePulse(state, self.request, read)
            self.pulse.start()
        elif not is_felt and self.pulse is not None:
            self.pulse.closed.set()
            self.pulse = None

    def _feel_pulse(self, now_s: float, reports: dict[int, MemberReport]) -> PulseState | None:
        if self.pulse is None:
            return None
        return self.pulse.advance(now_s, *self._list_signs(now_s, reports))

    def _list_signs(self, now_s: float, reports: dict[int, MemberReport]) -> Iterator[PulseEvent]:
        """Each sign of each rank once: an answer has cleared it since."""
        powers = [report.is_power_low for report in reports.values()]
        yield PowerRead(now_s, all(power is True for power in powers))
        yield CompilerRead(now_s, any(report.is_compiling for report in reports.values()))
        for rank, report in reports.items():
            for reason in filter(None, (report.suspicion, report.lost_process)):
                if (rank, reason) not in self.raised:
                    self.raised.add((rank, reason))
                    print_now(f"rank {rank}: {reason}")
                    yield SuspicionRaised(now_s, reason, reason == report.lost_process)
