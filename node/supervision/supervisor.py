"""The supervisor of a service on one node: one loop, which decides, acts and tells.

Whatever waits for others (followers, the engine's API) has a thread of its own, so that the loop
goes round; systemd kills a supervisor whose loop does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from node.host.output import print_now
from node.host.system import System
from node.readiness.interruption import Interruption
from node.readiness.probe import CompletionRequest
from node.readiness.starting import read_api_key
from node.supervision import listener, notify, turns
from node.supervision.coordination import Coordination
from node.supervision.gpu_power import PowerMeter, is_low
from node.supervision.listener import OrderListener
from node.supervision.member_duty import MemberDuty, open_duty
from node.supervision.messages import MemberReport, Order
from node.supervision.node_hands import SystemHands
from node.supervision.rank_watch import build_watch_target
from node.supervision.report import LiveFigures, LiveState, write_live
from node.supervision.state import SERVING, SupervisionState, Turn, read_state
from node.supervision.swarm_scale import SwarmSight, hold_scale
from node.supervision.target import SupervisionTarget, read_key, read_target

SLICE_S = 0.5
SERVING_SLICE_S = 1.0
"""Of a service that serves: half the work, and a dead rank is still seen within two seconds."""

SCALE_EVERY_S = 2.0
LIVE_EVERY_S = 3.0
LISTEN_EVERY_S = 10.0


@dataclass
class NodeSupervisor:
    """`order` and `report` are what this node was told last, and what it answers. `heard_s`: when
    the coordinator was heard last, on another node than its own."""

    system: System
    target: SupervisionTarget
    key: str
    api_key: str | None
    duty: MemberDuty
    hands: SystemHands
    meter: PowerMeter
    coordination: Coordination | None = None
    order: Order | None = None
    heard_s: float = 0.0
    report: MemberReport | None = None
    ears: OrderListener | None = None
    told: str = ""
    turn: Turn = "none"
    learned_epoch: int = 0
    live_s: float = 0.0
    swarm: SwarmSight | None = None
    demand: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    scaled_s: float = 0.0
    listened_s: float = field(default=-LISTEN_EVERY_S)

    def run(self, interruption: Callable[[], bool]) -> None:
        """Until it is told to end. It leaves the ranks as they are."""
        notify.notify_systemd(notify.READY)
        while not interruption():
            self.advance()
            notify.notify_systemd(notify.ALIVE)
            is_serving = self.order is not None and self.order.phase == "serving"
            time.sleep(SERVING_SLICE_S if is_serving else SLICE_S)
        notify.notify_systemd(notify.STOPPING)
        self.close()

    def advance(self) -> None:
        """One round."""
        self._listen()
        if self.coordination is not None and self.report is not None:
            self.order = self.coordination.advance(self.report)
        order = self.order
        self.report = self._complete(self.duty.advance(order), order)
        self._watch(order)
        self._learn(order)
        self._tell(order)

    def close(self) -> None:
        """In good order: the next boot is then none of a power cut."""
        if self.ears:
            self.ears.close()
        if self.coordination:
            self.coordination.close()
        self.meter.closed.set()
        state = self.duty.state
        self.duty.save(replace(state, boot=replace(state.boot, is_closed=True)))

    def take_order(self, order: Order) -> MemberReport:
        """Of the coordinator, in a thread of its own: the loop obeys in its next round."""
        if self.order is None or order.epoch >= self.order.epoch:
            self.order, self.heard_s = order, time.monotonic()
        return self.report or MemberReport(self.duty.state.member.epoch, "unknown")

    def _listen(self) -> None:
        """On every node but the coordinator's. Where the port is taken, it tries again."""
        now_s = time.monotonic()
        is_due = self.ears is None and now_s - self.listened_s >= LISTEN_EVERY_S
        if self.target.is_coordinator or not is_due:
            return
        self.listened_s = now_s
        address, port = self.target.own_endpoint
        try:
            server = listener.open_server(address, port)
        except OSError as error:
            print_now(f"cannot listen at {address}:{port}: {error.strerror}")
            return
        members = frozenset(rank.address for rank in self.target.ranks)
        self.ears = OrderListener(server, members, self.key, self.target.token, self.take_order)
        self.ears.start()

    def _complete(self, report: MemberReport, order: Order | None) -> MemberReport:
        """With what this node's rank shows, and its Swarm."""
        watch = self.hands.watch
        if watch is not None and report.state == "running":
            report = replace(
                report,
                suspicion=watch.get_suspicion(),
                lost_process=watch.get_lost_process(),
                failure=watch.failure,
                silent_s=round(watch.silent_s, 1),
                is_power_low=self._is_power_low(),
                is_compiling=watch.is_compiling,
            )
        if not self.target.is_swarm_head:
            return report
        sight = self._hold_scale(order if order and order.epoch == report.epoch else None)
        lacks = report.lacks or sight.problem
        return replace(report, scaled=sight.scaled, gone=sight.gone, lacks=lacks)

    def _is_power_low(self) -> bool | None:
        """Not known of a GPU that others use too."""
        is_shared = bool(turns.read_turns(self.system, self.target))
        return None if is_shared else is_low(self.meter.power_w, self.hands.learned.power_w)

    def _hold_scale(self, order: Order | None) -> SwarmSight:
        """Not at each round: a manager is asked over its own network."""
        demand = (order.up, order.down) if order else None
        now_s = time.monotonic()
        if self.swarm is None or demand != self.demand or now_s - self.scaled_s >= SCALE_EVERY_S:
            self.swarm = hold_scale(self.system, self.target, order)
            self.demand, self.scaled_s = demand, now_s
        return self.swarm

    def _watch(self, order: Order | None) -> None:
        watch = self.hands.watch
        if watch is None:
            return
        if not self.target.is_coordinator and order is not None and order.phase in SERVING:
            watch.mark_ready()
        silent_s = self.coordination.get_peer_silent_s() if self.coordination else None
        watch.advance(silent_s)

    def _learn(self, order: Order | None) -> None:
        if order is not None and order.phase == "serving" and self.learned_epoch != order.epoch:
            self.learned_epoch = order.epoch
            self.hands.learn()
        power_w = self.meter.take_new()
        if power_w is not None and order is not None and order.is_busy:
            self.hands.learn_power(power_w)
        self.duty.save(replace(self.duty.state, learned=self.hands.learned))

    def _tell(self, order: Order | None) -> None:
        """To the journal what is new, and every few seconds to whoever looks."""
        if order is None:
            return
        text = f"epoch {order.epoch}: {order.phase}" + (f": {order.detail}" if order.detail else "")
        is_new, now_s, turn = text != self.told, time.monotonic(), self._get_turn(order)
        if is_new:
            self.told = text
            print_now(text)
        if is_new or turn != self.turn or now_s - self.live_s >= LIVE_EVERY_S:
            self.live_s, self.turn = now_s, turn
            self._write_live(order)

    def _get_turn(self, order: Order) -> Turn:
        """A coordinator that is gone holds no other service of this node up."""
        silent_s = time.monotonic() - self.heard_s
        is_over = self.coordination is None and silent_s > turns.UNHEARD_LIMIT_S
        return "none" if is_over else order.turn

    def _write_live(self, order: Order) -> None:
        figures = self.coordination.build_figures() if self.coordination else LiveFigures()
        problem = self.duty.problem
        live = LiveState(
            token=self.target.token,
            written=self.hands.read_moment(),
            phase=order.phase,
            phase_age_s=order.phase_age_s,
            detail=order.detail or problem or "",
            figures=figures,
            turn=self.turn,
        )
        try:
            write_live(self.system, self.target.service, live)
        except OSError as error:
            print_now(f"the live state was not written: {error.strerror}")


def open_supervisor(
    system: System,
    target: SupervisionTarget,
    key: str,
    api_key: str | None,
    state: SupervisionState | None,
) -> NodeSupervisor | None:
    """None where it is not known yet what runs on this node."""
    learned = state.learned if state and state.token == target.token else None
    hands = SystemHands(system, target, api_key)
    hands.learned = learned or hands.learned
    duty = open_duty(target, hands, state)
    if duty is None:
        return None
    meter = PowerMeter(system)
    meter.start()
    supervisor = NodeSupervisor(system, target, key, api_key, duty, hands, meter)
    if target.is_coordinator:
        limit_s = target.limits.canary_s
        request = CompletionRequest(
            target.url, target.served_name, api_key, limit_s, task=target.task
        )
        supervisor.coordination = Coordination(system, duty, hands, key, request)
        supervisor.coordination.start()
    return supervisor


def supervise(system: System, service: str) -> list[str]:
    """Until a signal. Raises StepError where what it needs cannot be read."""
    target = read_target(system, service)
    key, api_key = read_key(system, service), _read_api_key(system, target)
    interruption = Interruption()
    supervisor = None
    while supervisor is None and not interruption.has_signal:
        state = read_state(system, service)
        supervisor = open_supervisor(system, target, key, api_key, state)
        notify.notify_systemd(notify.READY, notify.ALIVE)
        time.sleep(SLICE_S)
    if supervisor is not None:
        supervisor.run(lambda: interruption.has_signal)
    return [f"service {service}: its supervisor has ended, and left the ranks as they are"]


def _read_api_key(system: System, target: SupervisionTarget) -> str | None:
    local = target.local_rank
    return read_api_key(system, build_watch_target(target, local)) if local else None
