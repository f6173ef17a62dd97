"""What every planner starts from, and the one way from a want to a planned step. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from node.steps import HaveT, ObservedT, StepSpec, WantT
from sparkform.config import Declaration
from sparkform.fabric.network import Network, Reports
from sparkform.plan.steps import PlannedStep, StackName, StepRecord, plan_step


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

    def read_observed(
        self, node: str, spec: StepSpec[WantT, ObservedT, HaveT], step: str | None = None
    ) -> ObservedT:
        """What a node reports of a step; where it reports nothing, what the step knows then."""
        return spec.read_observed(self.reports[node].steps.get(step or spec.name))

    def plan_step(
        self,
        node: str,
        spec: StepSpec[WantT, ObservedT, HaveT],
        want: WantT,
        *,
        step: str | None = None,
        observed: ObservedT | None = None,
    ) -> PlannedStep:
        """The step against what the node reports of it.

        `step`: its name, for one of several of its kind. `observed` takes the place of the report
        where what other nodes report belongs to it.
        """
        state = self.read_observed(node, spec, step) if observed is None else observed
        return self.decide_step(node, spec, want, spec.narrow(state, want), step=step)

    def decide_step(
        self,
        node: str,
        spec: StepSpec[WantT, ObservedT, HaveT],
        want: WantT,
        have: HaveT,
        *,
        step: str | None = None,
    ) -> PlannedStep:
        """The step where `have` is known already."""
        return plan_step(self.get_record(node, step or spec.name), spec, want, have)

    def get_record(self, node: str, step: str) -> StepRecord:
        report = self.reports[node]
        receipt = report.receipts.get(step)
        return StepRecord(self.stack.owner(node, step), node, step, receipt, report.next_run)
