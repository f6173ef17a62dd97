"""The duty of rank 0's node towards the group: it decides, writes down, and only then orders."""

from __future__ import annotations

from dataclasses import dataclass, replace

from node.supervision.coordinator import decide_group
from node.supervision.member_duty import MemberDuty
from node.supervision.situation import GroupView, Situation
from node.supervision.state import CoordinatorRecord


@dataclass
class GroupDuty:
    """`own`: the duty towards rank 0, which shares its state file."""

    own: MemberDuty

    @property
    def record(self) -> CoordinatorRecord:
        return self.own.state.coordinator or CoordinatorRecord()

    def advance(self, view: GroupView) -> Situation:
        """One round: what the orders follow from. A decision that cannot be written is none."""
        target = self.own.target
        record = decide_group(target, self.record, view)
        self.own.save(replace(self.own.state, coordinator=record))
        return Situation(target, self.record, view)
