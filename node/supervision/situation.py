"""What a coordinator knows when it decides, and what that says of the group. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.supervision.messages import MemberReport, MemberState
from node.supervision.moment import Moment
from node.supervision.state import CoordinatorRecord, Phase
from node.supervision.target import SupervisionTarget


@dataclass(frozen=True)
class GroupView:
    """What is known now. `reports`: by rank, the last ones; `silent`: why a rank's node is not
    heard, by rank. `head`: the Swarm's, None elsewhere; `head_silent` as `silent`.

    `is_answering`: a token came since the group was started. `stall`, `suspicion`: what the signs
    of an engine that served say. `is_busy`: tokens come now.
    """

    now: Moment
    now_unix_s: float
    reports: Mapping[int, MemberReport] = field(default_factory=dict)
    silent: Mapping[int, str] = field(default_factory=dict)
    head: MemberReport | None = None
    head_silent: str | None = None
    is_answering: bool = False
    stall: str | None = None
    suspicion: str | None = None
    is_requested: bool = False
    is_pause_requested: bool = False
    is_busy: bool = False


@dataclass(frozen=True)
class Situation:
    """A decision's subject: the record and what is known."""

    target: SupervisionTarget
    record: CoordinatorRecord
    view: GroupView

    @property
    def epoch(self) -> int:
        return self.record.epoch

    def list_ranks(self, *states: MemberState) -> list[int]:
        """Those that say so of this epoch, or of a later one: an older report is over."""
        reports = sorted(self.view.reports.items())
        return [
            rank
            for rank, report in reports
            if report.state in states and report.epoch >= self.epoch
        ]

    def list_gone(self) -> list[int]:
        """Ranks that cannot be started: their container, unit or Swarm service is gone."""
        return [*self.list_ranks("gone"), *(self.view.head.gone if self.view.head else ())]

    def get_node(self, rank: int) -> str:
        names = {entry.rank: entry.node for entry in self.target.ranks}
        return names.get(rank, self.target.node)

    def get_highest_epoch(self) -> int:
        """That any node knows of."""
        head = [self.view.head] if self.view.head else []
        return max((report.epoch for report in [*self.view.reports.values(), *head]), default=0)

    def was_started(self, rank: int) -> bool:
        """In this epoch."""
        report = self.view.reports.get(rank)
        return report is not None and report.run_epoch == self.epoch

    def find_flaw(self) -> str | None:
        """What is wrong or not known of a group that answers. Who was not heard yet is silent
        only after a while."""
        for entry in self.target.ranks:
            report = self.view.reports.get(entry.rank)
            if entry.rank in self.view.silent:
                return f"{entry.node}: {self.view.silent[entry.rank]}"
            if report is None:
                continue
            if report.state == "unknown":
                return f"{entry.node}: Docker does not answer"
            if report.lacks:
                return f"{entry.node}: {report.lacks}"
            if not self.was_started(entry.rank):
                return f"{entry.node}: its rank is not the one that was started last"
        return self.describe_head()

    def find_lack(self) -> tuple[Phase, str] | None:
        for rank, report in sorted(self.view.reports.items()):
            if report.state == "unknown":
                return "blocked", f"{self.get_node(rank)}: Docker does not answer"
            if report.lacks:
                return "blocked", f"{self.get_node(rank)}: {report.lacks}"
        return None

    def find_unconfirmed(self) -> tuple[Phase, str] | None:
        """Who has not confirmed for this epoch that nothing runs."""
        for entry in self.target.ranks:
            report = self.view.reports.get(entry.rank)
            if entry.rank in self.view.silent:
                return "blocked", f"{entry.node}: {self.view.silent[entry.rank]}"
            if report is None or report.state != "stopped" or report.epoch != self.epoch:
                return "recovering", f"{entry.node} has not confirmed that its rank has ended"
        return self._find_unconfirmed_tasks()

    def _find_unconfirmed_tasks(self) -> tuple[Phase, str] | None:
        head = self.view.head
        if self.target.swarm_head is None:
            return None
        if self.view.head_silent is not None:
            return "blocked", str(self.describe_head())
        if head is None or head.scaled is None or head.epoch != self.epoch:
            return "blocked", f"{self.target.swarm_head.node}: Swarm does not answer"
        return ("recovering", "the Swarm still has tasks") if head.scaled else None

    def find_waiting(self) -> tuple[Phase, str] | None:
        for rank, report in sorted(self.view.reports.items()):
            if report.waits:
                return "recovering", f"{self.get_node(rank)}: {report.waits}"
        return None

    def describe_head(self) -> str | None:
        if self.target.swarm_head is None or self.view.head_silent is None:
            return None
        return f"{self.target.swarm_head.node}: {self.view.head_silent}"
