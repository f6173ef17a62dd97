"""All rules over one declaration. The program, `sparkform check` and the policies call this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sparkform.errors import InputError
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.outcome import (
    ADVISORY,
    MANDATORY,
    Finding,
    Outcome,
    Skip,
    Skipped,
    Verdict,
    Violation,
)
from sparkform.rules.registry import RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.table import Row, table
from sparkform.rules.waivers import reasons, waiver_problems

Found = tuple[str, Outcome]


def evaluate(context: Context) -> Verdict:
    """What all rules say. Raises InputError for a waiver of a rule that cannot be waived."""
    problems = waiver_problems(context.spec)
    if problems:
        raise InputError(problems)
    found = [
        *(one for service in context.services for one in judge_service(service, SERVICE_RULES)),
        *judge(context, RACK_RULES),
        *judge(context, STACK_RULES),
    ]
    return verdict(found, reasons(context.spec))


def judge_service(
    service: ServiceView, rules: Mapping[str, Callable[[ServiceView], Iterator[Outcome]]]
) -> Iterator[Found]:
    """What the rules for this engine say of one service, each with its id."""
    for id, rule in rules.items():
        if table()[id].concerns(service.block.engine):
            yield from ((id, outcome) for outcome in rule(service))


def judge(
    context: Context, rules: Mapping[str, Callable[[Context], Iterator[Outcome]]]
) -> Iterator[Found]:
    """What rules about the whole declaration say, each with its id."""
    yield from ((id, outcome) for id, rule in rules.items() for outcome in rule(context))


def verdict(found: Iterable[Found], waived: Mapping[str, str]) -> Verdict:
    """Findings weighed by the table and the waivers; what was said twice is said once."""
    once = dict.fromkeys(found)
    violations = [_violation(table()[id], one, waived) for id, one in once if is_finding(one)]
    order = list(table())
    return Verdict(
        violations=tuple(
            sorted(violations, key=lambda one: (one.severity != MANDATORY, order.index(one.rule)))
        ),
        skipped=tuple(
            Skipped(rule=id, path=one.path, reason=one.reason)
            for id, one in once
            if isinstance(one, Skip)
        ),
    )


def is_finding(outcome: Outcome) -> bool:
    """Whether a rule found something, rather than that it cannot tell."""
    return isinstance(outcome, Finding)


def _violation(row: Row, outcome: Outcome, waived: Mapping[str, str]) -> Violation:
    assert isinstance(outcome, Finding)
    severity = outcome.severity or row.default_severity
    reason = waived.get(row.id) if severity == MANDATORY else None
    return Violation(
        rule=row.id,
        severity=severity if reason is None else ADVISORY,
        path=outcome.path,
        message=outcome.message,
        evidence=outcome.evidence or row.source,
        remedy=outcome.remedy,
        waived=reason,
    )
