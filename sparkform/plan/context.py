"""What every planner starts from, and the one way from a want to a planned step. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.steps import STEPS
from sparkform.config import Declaration
from sparkform.fabric.network import Network, Reports
from sparkform.plan.steps import PlannedStep, StackName, plan_step
from sparkform.report.receipts import Json


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

    def get_state(self, node: str, step: str) -> Json:
        """What a node reports of a step; empty where it reports nothing."""
        state = self.reports[node].steps.get(step)
        return state if isinstance(state, dict) else {}

    def plan_step(self, node: str, step: str, want: Json, state: Json | None = None) -> PlannedStep:
        """The step against what the node reports of it.

        `state` takes the place of the report where what other nodes report belongs to it.
        """
        have = STEPS[step].narrow(self.get_state(node, step) if state is None else state, want)
        return self.decide_step(node, step, want, have, STEPS[step].compare(have, want))

    def decide_step(
        self, node: str, step: str, want: Json, have: object, differences: Sequence[str]
    ) -> PlannedStep:
        """The step where `have` is known already; `differences` say how it differs from `want`."""
        report = self.reports[node]
        receipt = report.receipts.get(step)
        return plan_step(self.stack, node, step, want, have, receipt, report.next_run, differences)
