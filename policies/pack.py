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

from policies.judgement import find_input_problems, find_stack_violations, find_violations
from sparkform.rules.explanation import find_explanation
from sparkform.rules.outcome import ADVISORY, MANDATORY, Severity, Violation
from sparkform.rules.props import RACK_TYPE, SERVICE_TYPE
from sparkform.rules.registry import RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.table import EITHER, load_table

ENFORCEMENT_LEVELS: Mapping[Severity, EnforcementLevel] = {
    MANDATORY: EnforcementLevel.MANDATORY,
    ADVISORY: EnforcementLevel.ADVISORY,
}
COMPONENT_TYPES = (SERVICE_TYPE, RACK_TYPE)
ViolationFilter = Callable[[Violation], bool]


def _validate_component(
    is_chosen: ViolationFilter,
) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type in COMPONENT_TYPES:
            for violation in filter(is_chosen, find_violations(args.resource_type, args.props)):
                report(str(violation), None)

    return validate


def _validate_stack(
    is_chosen: ViolationFilter,
) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        services = [
            resource for resource in args.resources if resource.resource_type == SERVICE_TYPE
        ]
        for violation in filter(
            is_chosen, find_stack_violations([resource.props for resource in services])
        ):
            report(str(violation), _find_urn(violation, services))

    return validate


def _find_urn(violation: Violation, services: list[Any]) -> str | None:
    urns = (
        resource.urn
        for resource in services
        if violation.path.startswith(f"services.{resource.props.get('name')}.")
    )
    return next(urns, None)


def _matches_rule(rule: str, severity: Severity) -> ViolationFilter:
    return lambda violation: (
        violation.rule == rule and violation.severity == severity and violation.waived is None
    )


def _is_waived(violation: Violation) -> bool:
    return violation.waived is not None


def _build_policies() -> Iterator[Policy]:
    for rule in (*SERVICE_RULES, *RACK_RULES):
        for name, severity in _list_levels(rule):
            validate = _validate_component(_matches_rule(rule, severity))
            yield _build_resource_policy(name, _describe_rule(rule), severity, validate)
    for rule in STACK_RULES:
        for name, severity in _list_levels(rule):
            validate_stack = _validate_stack(_matches_rule(rule, severity))
            yield _build_stack_policy(name, _describe_rule(rule), severity, validate_stack)
    waived_description = "Rules that cluster.waive turned into warnings."
    yield _build_resource_policy(
        "waived-rules", waived_description, ADVISORY, _validate_component(_is_waived)
    )
    yield _build_stack_policy(
        "waived-stack-rules", waived_description, ADVISORY, _validate_stack(_is_waived)
    )
    readable_description = (
        "The props of our components must be a declaration that sparkform can read."
    )
    yield _build_resource_policy(
        "readable-props", readable_description, MANDATORY, _report_unreadable
    )


def _list_levels(rule: str) -> Iterator[tuple[str, Severity]]:
    """The policies of a rule: name and weight."""
    row = load_table()[rule]
    yield rule, row.default_severity
    if row.severity == EITHER:
        yield f"{rule}-advice", ADVISORY


def _describe_rule(rule: str) -> str:
    return find_explanation(rule).text.splitlines()[0]


def _report_unreadable(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if args.resource_type in COMPONENT_TYPES:
        message = find_input_problems(args.resource_type, args.props)
        if message is not None:
            report(message, None)


def _build_resource_policy(
    name: str,
    description: str,
    severity: Severity,
    validate: Callable[[ResourceValidationArgs, ReportViolation], None],
) -> ResourceValidationPolicy:
    return ResourceValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=ENFORCEMENT_LEVELS[severity],
    )


def _build_stack_policy(
    name: str,
    description: str,
    severity: Severity,
    validate: Callable[[StackValidationArgs, ReportViolation], None],
) -> StackValidationPolicy:
    return StackValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=ENFORCEMENT_LEVELS[severity],
    )


POLICIES: tuple[Policy, ...] = tuple(_build_policies())
