"""What every planner starts from, and the one way from a want to a planned step. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.steps import HaveT, ObservedT, StepSpec, WantT
from sparkform.config import Declaration
from sparkform.fabric.network import Network, Reports
from sparkform.plan.steps import (
    PlannedStep,
    StackName,
    StepRecord,
    hold_dependent,
    hold_unknown,
    plan_step,
)
from sparkform.report.unknown import Unknown


@dataclass(frozen=True)
class PlanContext:
    """The declaration, the network that follows from it, what the nodes report, and the stack."""

    declaration: Declaration
    network: Network
    reports: Reports
    stack: StackName

    def is_present(self, node: str) -> bool:
        """Whether the node is neither away nor unreachable: only then is anything planned on it."""
        return node in self.network.management

    def hold_unread_network(self, planned: PlannedStep, *nodes: str) -> PlannedStep:
        """The step, held where it would change by what one of these nodes did not read of its
        network."""
        unread = self.network.find_unread(*nodes)
        if unread is None or not planned.is_changing:
            return planned
        return self.hold_unknown(planned.node, planned.step, unread)

    def find_unknown(self, node: str, *items: str) -> Unknown | None:
        """The first of these items that the node did not read."""
        return self.reports[node].find_unknown(*items)

    def read_observed(
        self, node: str, spec: StepSpec[WantT, ObservedT, HaveT], step: str | None = None
    ) -> ObservedT | Unknown:
        """What a node reports of a step; where it was not asked, what the step knows then."""
        state = self.reports[node].read_step(step or spec.name)
        if isinstance(state, Unknown):
            return state if spec.has_state else spec.read_observed(None)
        return spec.read_observed(state)

    def plan_step(
        self,
        node: str,
        spec: StepSpec[WantT, ObservedT, HaveT],
        want: WantT,
        *,
        step: str | None = None,
        observed: ObservedT | Unknown | None = None,
        before: Iterable[PlannedStep] = (),
    ) -> PlannedStep:
        """The step against what the node reports of it.

        `step`: its name, for one of several of its kind. `observed` takes the place of the report
        where what other nodes report belongs to it. `before`: the steps that it builds on.
        """
        state = observed
        if state is None:
            state = self.read_observed(node, spec, step)
        if isinstance(state, Unknown):
            return self.hold_unknown(node, step or spec.name, state)
        have = spec.narrow(state, want)
        return self.decide_step(node, spec, want, have, step=step, before=before)

    def decide_step(
        self,
        node: str,
        spec: StepSpec[WantT, ObservedT, HaveT],
        want: WantT,
        have: HaveT,
        *,
        step: str | None = None,
        before: Iterable[PlannedStep] = (),
    ) -> PlannedStep:
        """The step where `have` is known already."""
        record = self.get_record(node, step or spec.name)
        return hold_dependent(plan_step(record, spec, want, have), record, before)

    def hold_unknown(self, node: str, step: str, unknown: Unknown) -> PlannedStep:
        """The step as it is: what it looks at, or is decided by, was not read."""
        is_own = unknown.item == f"step {step}"
        return hold_unknown(self.get_record(node, step), unknown.reason if is_own else str(unknown))

    def get_record(self, node: str, step: str) -> StepRecord:
        report = self.reports[node]
        receipt = report.receipts.get(step)
        return StepRecord(self.stack.owner(node, step), node, step, receipt, report.next_run)
