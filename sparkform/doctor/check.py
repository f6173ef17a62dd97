"""One row of a diagnosis, and what a check of one node is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from sparkform.config import Declaration, EffectiveNode
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.steps import StackName
from sparkform.report.facts import Facts, NodeReport
from sparkform.report.rack_report import QueryResult

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """`node` None: the rack as a whole. `fix` is a command or an act, for all but `ok`."""

    node: str | None
    name: str
    status: Status
    message: str
    fix: str | None = None


@dataclass(frozen=True)
class NodeView:
    """One node that answered, beside what was declared and planned for it and for the others."""

    declaration: Declaration
    stack: StackName
    plan: RackPlan
    node: EffectiveNode
    query: QueryResult
    report: NodeReport

    @property
    def facts(self) -> Facts:
        return self.report.facts

    @property
    def stack_claim(self) -> str:
        """This stack, as a claim on a node names it."""
        return f"{self.stack.project}/{self.stack.stack}"

    @property
    def is_claimed(self) -> bool:
        """Whether this stack has been brought up on the node: then a difference is a fault."""
        return self.facts.claim == self.stack_claim

    def ok(self, name: str, message: str) -> Check:
        return Check(self.node.name, name, "ok", message)

    def warn(self, name: str, message: str, fix: str) -> Check:
        return Check(self.node.name, name, "warn", message, fix)

    def fail(self, name: str, message: str, fix: str) -> Check:
        return Check(self.node.name, name, "fail", message, fix)


NodeCheck = Callable[[NodeView], Iterator[Check]]
"""A check yields nothing where its fact could not be read: `unreadable` says so for all."""
