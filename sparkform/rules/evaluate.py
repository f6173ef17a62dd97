"""All rules over one declaration. The program, `sparkform check` and the policies call this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sparkform.errors import InputError
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.outcome import (
    ADVISORY,
    MANDATORY,
    RuleFinding,
    RuleOutcome,
    RuleSkip,
    RulesVerdict,
    SkippedRule,
    Violation,
)
from sparkform.rules.registry import RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.table import RuleRow, load_table
from sparkform.rules.waivers import find_waiver_problems, list_waiver_reasons

IdentifiedOutcome = tuple[str, RuleOutcome]


def evaluate(context: Context) -> RulesVerdict:
    """What all rules say. Raises InputError for a waiver of a rule that cannot be waived."""
    problems = find_waiver_problems(context.declaration)
    if problems:
        raise InputError(problems)
    outcomes = [
        *(
            outcome
            for service in context.services
            for outcome in judge_service(service, SERVICE_RULES)
        ),
        *judge(context, RACK_RULES),
        *judge(context, STACK_RULES),
    ]
    return build_verdict(outcomes, list_waiver_reasons(context.declaration))


def judge_service(
    service: ServiceView, rules: Mapping[str, Callable[[ServiceView], Iterator[RuleOutcome]]]
) -> Iterator[IdentifiedOutcome]:
    """What the rules for this engine say of one service, each with its id."""
    for rule_id, rule in rules.items():
        if load_table()[rule_id].applies_to(service.block.engine):
            yield from ((rule_id, outcome) for outcome in rule(service))


def judge(
    context: Context, rules: Mapping[str, Callable[[Context], Iterator[RuleOutcome]]]
) -> Iterator[IdentifiedOutcome]:
    """What rules about the whole declaration say, each with its id."""
    yield from ((rule_id, outcome) for rule_id, rule in rules.items() for outcome in rule(context))


def build_verdict(
    outcomes: Iterable[IdentifiedOutcome], waivers: Mapping[str, str]
) -> RulesVerdict:
    """Findings weighed by the table and the waivers; what was said twice is said once."""
    distinct = dict.fromkeys(outcomes)
    violations = [
        _build_violation(load_table()[rule_id], outcome, waivers)
        for rule_id, outcome in distinct
        if isinstance(outcome, RuleFinding)
    ]
    skipped = tuple(
        SkippedRule(rule=rule_id, path=outcome.path, reason=outcome.reason)
        for rule_id, outcome in distinct
        if isinstance(outcome, RuleSkip)
    )
    return RulesVerdict(violations=tuple(sorted(violations, key=_get_order)), skipped=skipped)


def _get_order(violation: Violation) -> tuple[bool, int]:
    """Mandatory violations first, then in the order of the table."""
    return violation.severity != MANDATORY, list(load_table()).index(violation.rule)


def _build_violation(row: RuleRow, finding: RuleFinding, waivers: Mapping[str, str]) -> Violation:
    severity = finding.severity or row.default_severity
    reason = waivers.get(row.id) if severity == MANDATORY else None
    return Violation(
        rule=row.id,
        severity=severity if reason is None else ADVISORY,
        path=finding.path,
        message=finding.message,
        evidence=finding.evidence or row.source,
        remedy=finding.remedy,
        waived=reason,
    )
