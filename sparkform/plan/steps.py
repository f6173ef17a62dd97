"""One step on one node, ready to become a resource: its document and the words for what differs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    one that it concerns, is away, or `unknown` says what was not read. `refusals`: why it will
    fail.
    """

    node: str
    step: str
    decision: Decision
    lines: tuple[str, ...]
    want: object = None
    have: object = None
    disturbance: Disturbance = "none"
    is_held: bool = False
    unknown: str | None = None
    refusals: tuple[str, ...] = ()

    @property
    def is_changing(self) -> bool:
        return not (self.is_held or self.decision.in_sync)


def hold_step(node: str, step: str) -> PlannedStep:
    return PlannedStep(node, step, Decision("", "", None, 0, ""), (), is_held=True)


@dataclass(frozen=True)
class StepRecord:
    """One step on one node: whose it is to be, the receipt that the node keeps, and the node's
    number for a new document."""

    owner: str
    node: str
    step: str
    receipt: str | None
    next_run: int


def hold_unknown(record: StepRecord, reason: str) -> PlannedStep:
    """A step of which too little is known to change anything; what builds on it finds the run that
    the node has recorded.

    >>> record = StepRecord("p/s/spark-2/agent", "spark-2", "agent", None, 7)
    >>> hold_unknown(record, "no answer in 4.8 s").lines
    ('spark-2 agent: unknown (no answer in 4.8 s); not changed in this run',)
    """
    receipt = parse_receipt(record.receipt)
    decision = Decision(
        record.owner, None, None, receipt.run if receipt else 0, record.receipt or ""
    )
    line = f"{record.node} {record.step}: unknown ({reason}); not changed in this run"
    return PlannedStep(record.node, record.step, decision, (line,), is_held=True, unknown=reason)


def hold_dependent(
    planned: PlannedStep, record: StepRecord, before: Iterable[PlannedStep]
) -> PlannedStep:
    """The step, held where it would change and one of those before it is unknown."""
    blocking = next((step for step in before if step.unknown), None)
    if blocking is None or not planned.is_changing:
        return planned
    return hold_unknown(record, f"{blocking.node} {blocking.step} is unknown")


def plan_step(
    record: StepRecord, spec: StepSpec[WantT, ObservedT, HaveT], want: WantT, have: HaveT
) -> PlannedStep:
    """A step in sync says nothing and disturbs nothing."""
    phrases = [*spec.compare(have, want)] or ([spec.phrase] if spec.phrase else [])
    planned = describe_step(record, want, have, phrases)
    if planned.decision.in_sync:
        return planned
    disturbance, refusals = spec.get_disturbance(have, want), spec.find_refusals(have, want)
    return replace(planned, disturbance=disturbance, refusals=tuple(refusals))


def describe_step(
    record: StepRecord, want: object, have: object, phrases: Sequence[str]
) -> PlannedStep:
    """`phrases`: what differs, or what the step will do where nothing does."""
    receipt = parse_receipt(record.receipt)
    decision = decide(record.owner, to_fields(want), to_json(have), receipt, record.next_run)
    if decision.in_sync:
        return PlannedStep(record.node, record.step, decision, (), want, have)
    recorded_owner = receipt.owner if receipt else None
    shown = list(phrases) or [_describe_unrecorded(record.owner, recorded_owner)]
    lines = tuple(f"{record.node} {record.step}: {phrase}" for phrase in shown)
    return PlannedStep(record.node, record.step, decision, lines, want, have)


def _describe_unrecorded(owner: str, recorded_owner: str | None) -> str:
    """Nothing differs on the machine, only in what it has recorded."""
    if recorded_owner is None:
        return "already in desired state; will be adopted"
    if recorded_owner != owner:
        return f"owned by {recorded_owner}; will be owned by {owner}"
    return "a dependency changes; will be re-verified"
