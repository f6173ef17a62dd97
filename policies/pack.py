"""One policy a rule: resource policies on our components, stack policies on services together.

A rule's weight is the policy's enforcement level, which policy config can change by the rule's
name. Where findings weigh differently, the lighter ones are a policy of their own, RULE-advice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.judgement import across, problems, violations
from sparkform.rules.outcome import ADVISORY, MANDATORY, Severity, Violation
from sparkform.rules.props import RACK_TYPE, SERVICE_TYPE
from sparkform.rules.registry import RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.story import story_of
from sparkform.rules.table import EITHER, table

LEVELS: Mapping[Severity, EnforcementLevel] = {
    MANDATORY: EnforcementLevel.MANDATORY,
    ADVISORY: EnforcementLevel.ADVISORY,
}
TYPES = (SERVICE_TYPE, RACK_TYPE)
Chosen = Callable[[Violation], bool]


def _text(found: Violation) -> str:
    return (
        f"{found.path}: {found.document()['message']} "
        f"Write: {found.remedy} (evidence: {found.evidence})"
    )


def _of_component(chosen: Chosen) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type in TYPES:
            for found in filter(chosen, violations(args.resource_type, args.props)):
                report(_text(found), None)

    return validate


def _of_stack(chosen: Chosen) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        services = [one for one in args.resources if one.resource_type == SERVICE_TYPE]
        for found in filter(chosen, across([one.props for one in services])):
            report(_text(found), _urn(found, services))

    return validate


def _urn(found: Violation, services: list[Any]) -> str | None:
    named = (
        one.urn for one in services if found.path.startswith(f"services.{one.props.get('name')}.")
    )
    return next(named, None)


def _is(rule: str, severity: Severity) -> Chosen:
    return lambda found: found.rule == rule and found.severity == severity and found.waived is None


def _is_waived(found: Violation) -> bool:
    return found.waived is not None


def _policies() -> Iterator[Policy]:
    for rule in (*SERVICE_RULES, *RACK_RULES):
        for name, severity in _weights(rule):
            validate = _of_component(_is(rule, severity))
            yield _resource_policy(name, _description(rule), severity, validate)
    for rule in STACK_RULES:
        for name, severity in _weights(rule):
            judged = _of_stack(_is(rule, severity))
            yield _stack_policy(name, _description(rule), severity, judged)
    waived = "Rules that cluster.waive turned into warnings."
    yield _resource_policy("waived-rules", waived, ADVISORY, _of_component(_is_waived))
    yield _stack_policy("waived-stack-rules", waived, ADVISORY, _of_stack(_is_waived))
    readable = "The props of our components must be a declaration that sparkform can read."
    yield _resource_policy("readable-props", readable, MANDATORY, _unreadable)


def _weights(rule: str) -> Iterator[tuple[str, Severity]]:
    """The policies of a rule: name and weight."""
    row = table()[rule]
    yield rule, row.default_severity
    if row.severity == EITHER:
        yield f"{rule}-advice", ADVISORY


def _description(rule: str) -> str:
    return story_of(rule).text.splitlines()[0]


def _unreadable(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if args.resource_type in TYPES:
        told = problems(args.resource_type, args.props)
        if told is not None:
            report(told, None)


def _resource_policy(
    name: str,
    description: str,
    severity: Severity,
    validate: Callable[[ResourceValidationArgs, ReportViolation], None],
) -> ResourceValidationPolicy:
    return ResourceValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=LEVELS[severity],
    )


def _stack_policy(
    name: str,
    description: str,
    severity: Severity,
    validate: Callable[[StackValidationArgs, ReportViolation], None],
) -> StackValidationPolicy:
    return StackValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=LEVELS[severity],
    )


POLICIES: tuple[Policy, ...] = tuple(_policies())
