"""One step on one node, ready to become a resource: its document and the words for what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkform.report.receipts import Decision, Json, decide, parse_receipt

STATELESS_PHRASES = {
    "fabric_check": "will be tried with full-size packets",
    "fabric_confirm": "will be confirmed by a fresh login",
    "swarm_token": "will be read",
    "swarm_network": "will be read",
    "stop_previous": "will be made free",
    "member": "will be started anew",
    "group": "will be recorded as started",
    "ready": "will be asked for one token",
}
"""What steps without a state of their own do when what they depend on has changed."""


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

    A held step stays as Pulumi knows it, whatever it would carry: its node, or one that it
    concerns, is away.
    """

    node: str
    step: str
    decision: Decision
    lines: tuple[str, ...]
    is_held: bool = False


def hold_step(node: str, step: str) -> PlannedStep:
    return PlannedStep(node, step, Decision("", 0, in_sync=True), (), is_held=True)


def plan_step(
    stack: StackName,
    node: str,
    step: str,
    want: Json,
    have: object,
    receipt: str | None,
    next_run: int,
    differences: Sequence[str],
) -> PlannedStep:
    """`differences` are the words for have against want; a step in sync says nothing."""
    owner = stack.owner(node, step)
    parsed = parse_receipt(receipt)
    decision = decide(owner, want, have, parsed, next_run)
    if decision.in_sync:
        return PlannedStep(node, step, decision, ())
    recorded_owner = parsed.owner if parsed else None
    phrases = list(differences) or [
        STATELESS_PHRASES.get(_get_kind(step)) or _describe_unrecorded(owner, recorded_owner)
    ]
    return PlannedStep(
        node, step, decision, tuple(f"{node} {step}: {phrase}" for phrase in phrases)
    )


def _get_kind(step: str) -> str:
    return step.partition(":")[0]


def _describe_unrecorded(owner: str, recorded_owner: str | None) -> str:
    """Nothing differs on the machine, only in what it has recorded."""
    if recorded_owner is None:
        return "is as wanted, will be recorded as ours"
    if recorded_owner != owner:
        return f"belongs to {recorded_owner}, will belong to {owner}"
    return "what it depends on changes, so it will be made sure of"
