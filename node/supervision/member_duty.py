"""One node's duty towards its rank: it looks, decides, writes down, acts, and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from node.errors import StepError
from node.supervision.member import MemberSituation, MemberStep, RankSight, adopt, decide_member
from node.supervision.messages import MemberReport, Order
from node.supervision.moment import Moment
from node.supervision.restarts import open_boot
from node.supervision.state import MemberRecord, SupervisionState
from node.supervision.target import SupervisionTarget


class NodeHands(Protocol):
    """What a supervisor does on its node."""

    def read_moment(self) -> Moment: ...

    def look(self, record: MemberRecord) -> RankSight: ...

    def save(self, state: SupervisionState) -> None:
        """Raises OSError."""

    def stop(self, run_ids: Sequence[str]) -> None:
        """Raises StepError."""

    def start(self) -> str | None:
        """Start this node's rank, and return its run: None where that shows later. Raises
        StepError."""


@dataclass
class MemberDuty:
    """`state` is what lies on the disk once `is_saved`. `problem`: what the node lacks to obey;
    `start_failure`: why the rank could not be started."""

    target: SupervisionTarget
    hands: NodeHands
    state: SupervisionState
    is_saved: bool = False
    problem: str | None = None
    start_failure: str = ""

    def advance(self, order: Order | None) -> MemberReport:
        """One round: the report of how things are after it."""
        now = self.hands.read_moment()
        sight = self.hands.look(self.state.member)
        situation = MemberSituation(self.state.member, order, sight, now, self.target.runtime)
        step = decide_member(situation)
        self.problem = None
        if self._note(step.record, order) or step.action == "stop":
            self._act(step)
        return self._report(step, sight, now)

    def _note(self, record: MemberRecord, order: Order | None) -> bool:
        """Whether it is on the disk: what could not be written is not done."""
        state = replace(self.state, member=record)
        if order is not None and order.is_settled and state.boot.unclean_boots:
            state = replace(state, boot=replace(state.boot, unclean_boots=0))
        return self.save(state)

    def save(self, state: SupervisionState) -> bool:
        if state == self.state and self.is_saved:
            return True
        try:
            self.hands.save(state)
        except OSError as error:
            self.problem = f"its state cannot be written: {error.strerror or error}"
            return False
        self.state, self.is_saved = state, True
        return True

    def _act(self, step: MemberStep) -> None:
        if step.action == "start":
            self._start()
        elif step.action == "stop":
            try:
                self.hands.stop(step.stops)
            except StepError as error:
                self.problem = str(error)

    def _start(self) -> None:
        """A start that fails is the rank's failure, and counts."""
        self.start_failure = ""
        try:
            run_id, record = self.hands.start(), self.state.member
        except StepError as error:
            self.start_failure = str(error)
            return
        if run_id is not None and record.run is not None:
            run = replace(record.run, run_id=run_id)
            self.save(replace(self.state, member=replace(record, run=run)))

    def _report(self, step: MemberStep, sight: RankSight, now: Moment) -> MemberReport:
        """What could not be written down is not confirmed."""
        record = self.state.member
        is_noted = record.epoch == step.record.epoch and self.problem is None
        run = record.run
        return MemberReport(
            epoch=record.epoch,
            state=step.state if is_noted or step.state != "stopped" else "stopping",
            run_epoch=run.epoch if run else 0,
            cause=self.start_failure or step.cause,
            is_rebooted=run is not None and run.started.boot_id != now.boot_id,
            unclean_boots=self.state.boot.unclean_boots,
            lacks=self.problem or sight.lacks,
            # Once it was ordered to start, it is its turn.
            waits=sight.waits or sight.turn,
        )


def open_duty(
    target: SupervisionTarget, hands: NodeHands, state: SupervisionState | None
) -> MemberDuty | None:
    """At a supervisor's start. A state of another token is none. None where it is not known what
    runs on this node, so that nothing can be taken over yet."""
    now = hands.read_moment()
    if state is None or state.token != target.token:
        sight = hands.look(MemberRecord())
        if sight.unknown is not None:
            return None
        state = SupervisionState(target.token, adopt(sight.live, now))
    opened = replace(state, boot=open_boot(state.boot, now.boot_id))
    duty = MemberDuty(target, hands, opened)
    duty.save(opened)
    return duty
