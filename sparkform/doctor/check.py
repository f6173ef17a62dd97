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
from sparkform.versions import is_at_least

Status = Literal["ok", "warn", "fail"]
UNKNOWN = "unknown"
"""How the message begins of what was not read."""


@dataclass(frozen=True)
class Check:
    """One row. `node` None: the rack as a whole.

    `fix` is a command or an act. An `ok` row has none, and neither has a row that says "unknown":
    what was not read is neither sound nor broken.
    """

    node: str | None
    name: str
    status: Status
    message: str
    fix: str | None = None


@dataclass(frozen=True)
class NodeView:
    """One node that answered, beside what was declared and planned for it and for the others.

    The plan leaves out nodes of which too little was read, and services that need them.
    """

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
        return str(self.stack)

    @property
    def is_claimed(self) -> bool:
        """Whether this stack has been brought up on the node: then a difference is a fault."""
        return self.facts.claim == self.stack_claim

    @property
    def is_planned(self) -> bool:
        """Whether enough of the node was read to plan its network."""
        return self.node.name in self.plan.network.management

    @property
    def is_plan_whole(self) -> bool:
        """Whether every node is planned that is not away by declaration."""
        nodes = self.declaration.active_nodes
        return all(node.name in self.plan.network.management for node in nodes)

    def find_unread_reason(self, item: str) -> str | None:
        return self.report.find_unread_reason(item)

    def was_read(self, item: str) -> bool:
        return self.find_unread_reason(item) is None

    def ok(self, name: str, message: str) -> Check:
        return Check(self.node.name, name, "ok", message)

    def warn(self, name: str, message: str, fix: str) -> Check:
        return Check(self.node.name, name, "warn", message, fix)

    def fail(self, name: str, message: str, fix: str) -> Check:
        return Check(self.node.name, name, "fail", message, fix)

    def unknown(self, name: str, reason: str, status: Status = "warn") -> Check:
        return Check(self.node.name, name, status, f"{UNKNOWN}: {reason}")


NodeCheck = Callable[[NodeView], Iterator[Check]]
"""A check yields nothing where its fact was not read: `check_unread` says so for all."""


def check_floor(view: NodeView, name: str, version: str, floor: str | None, fix: str) -> Check:
    """A version against the oldest one that the stack file expects."""
    if floor is None:
        return view.ok(name, version)
    reaches_floor = is_at_least(version, floor)
    if reaches_floor is None:
        return view.unknown(name, f"{version} is no version; {floor} or newer is expected")
    if reaches_floor:
        return view.ok(name, f"{version}, {floor} or newer is expected")
    return view.fail(name, f"{version} is older than {floor}, which is expected", fix)
