"""One step on one node, ready to become a resource: its document and the words for what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from node.host.typed_json import to_fields, to_json
from node.steps import Disturbance, HaveT, ObservedT, StepSpec, WantT
from sparkform.report.receipts import Decision, decide, parse_receipt


@dataclass(frozen=True)
class StackName:
    """`<project>/<stack>`: who owns what a step makes on a node."""

    project: str
    stack: str

    def __str__(self) -> str:
        return f"{self.project}/{self.stack}"

    def owner(self, node: str, step: str) -> str:
        return f"{self}/{node}/{step}"


@dataclass(frozen=True)
class PlannedStep:
    """What the resource of a step carries, and what its preview says.

    `want` and `have` are the step's own (node.steps); a held step has neither. `disturbance`: what
    running it disturbs. A held step stays as Pulumi knows it, whatever it would carry: its node, or
    one that it concerns, is away.
    """

    node: str
    step: str
    decision: Decision
    lines: tuple[str, ...]
    want: object = None
    have: object = None
    disturbance: Disturbance = "none"
    is_held: bool = False


def hold_step(node: str, step: str) -> PlannedStep:
    return PlannedStep(node, step, Decision("", "", None, 0, ""), (), is_held=True)


def plan_step(
    stack: StackName,
    node: str,
    step: str,
    spec: StepSpec[WantT, ObservedT, HaveT],
    want: WantT,
    have: HaveT,
    receipt: str | None,
) -> PlannedStep:
    """A step in sync says nothing and disturbs nothing."""
    phrases = [*spec.compare(have, want)] or ([spec.phrase] if spec.phrase else [])
    planned = describe_step(stack, node, step, want, have, receipt, phrases)
    if planned.decision.in_sync:
        return planned
    return replace(planned, disturbance=spec.get_disturbance(have, want))


def describe_step(
    stack: StackName,
    node: str,
    step: str,
    want: object,
    have: object,
    receipt: str | None,
    phrases: Sequence[str],
) -> PlannedStep:
    """`phrases`: what differs, or what the step will do where nothing does."""
    owner = stack.owner(node, step)
    parsed = parse_receipt(receipt)
    decision = decide(owner, to_fields(want), to_json(have), parsed)
    if decision.in_sync:
        return PlannedStep(node, step, decision, (), want, have)
    shown = list(phrases) or [_describe_unrecorded(owner, parsed.owner if parsed else None)]
    lines = tuple(f"{node} {step}: {phrase}" for phrase in shown)
    return PlannedStep(node, step, decision, lines, want, have)


def _describe_unrecorded(owner: str, recorded_owner: str | None) -> str:
    """Nothing differs on the machine, only in what it has recorded."""
    if recorded_owner is None:
        return "already in desired state; will be adopted"
    if recorded_owner != owner:
        return f"owned by {recorded_owner}; will be owned by {owner}"
    return "a dependency changes; will be re-verified"
