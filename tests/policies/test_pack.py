"""The policies, called as Pulumi calls them: one changed property each."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from pulumi_policy import (
    EnforcementLevel,
    PolicyResource,
    PolicyResourceOptions,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import unknown_checking_proxy

from policies.pack import POLICIES
from sparkform.config import Declaration, load_stack
from sparkform.report.rack_report import Observation, QueryResult
from sparkform.report.recording import save_facts
from sparkform.rules.props import (
    RACK_TYPE,
    SERVICE_TYPE,
    build_rack_props,
    build_service_props,
    read_props,
)
from sparkform.rules.registry import GROUPS, RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.stack_secrets import list_secret_names
from sparkform.rules.table import load_table
from tests.unit.rules.support import DATA, StackCase, build_reports, evaluate_stack, list_cases

POLICIES_BY_NAME = {policy.name: policy for policy in POLICIES}
URN = "urn:pulumi:dev::rack::sparkform:index:InferenceService::one"
OPTIONS = cast(PolicyResourceOptions, None)


Props = dict[str, object]


def to_floats(value: object) -> object:
    """Numbers as the engine hands them on."""
    if isinstance(value, dict):
        return {key: to_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def build_props(path: Path, **cluster: object) -> Props:
    """The props of a stack's first service, with these keys of its cluster replaced."""
    declaration = load_stack(path)
    name = next(iter(declaration.services))
    service_props = build_service_props(declaration, name, list_secret_names(path))
    changed = {"cluster": {**declaration.cluster.to_plain(), **cluster}}
    return cast(Props, to_floats(service_props | changed))


def build_floats(declaration: Declaration) -> Props:
    """The props of a rack, as the engine hands them on."""
    return cast(Props, to_floats(build_rack_props(declaration, ())))


def change_service(props: Props, **changes: object) -> Props:
    """The props of the second service, with these keys of its block replaced."""
    service = cast(Props, props["service"])
    return props | {"name": "second", "service": service | changes}


def validate_resource(
    policy: str, resource_props: Props, type_name: str = SERVICE_TYPE
) -> list[str]:
    messages: list[str] = []
    args = ResourceValidationArgs(
        type_name, unknown_checking_proxy(dict(resource_props)), URN, "one", OPTIONS, None
    )
    validate = cast(ResourceValidationPolicy, POLICIES_BY_NAME[policy]).validate
    validate(args, cast(ReportViolation, lambda message, urn=None: messages.append(message)))
    return messages


def list_group_cases() -> list[StackCase]:
    """For each rule group one dangerous stack that one of its service rules refuses."""
    stack_cases = list_cases("dangerous")
    group_cases = (
        next(
            (case for case in stack_cases if case.rule in getattr(group, "SERVICE_RULES", {})), None
        )
        for group in GROUPS
    )
    return [case for case in group_cases if case is not None]


@pytest.mark.parametrize("case", list_group_cases(), ids=lambda case: case.rule)
def test_one_changed_property_is_refused(case: StackCase) -> None:
    (message, *_) = validate_resource(case.rule, build_props(case.path))
    violations = evaluate_stack(case.path).violations
    assert message in [str(violation) for violation in violations if violation.rule == case.rule]
    assert validate_resource(case.rule, build_props(case.good)) == []


def test_most_groups_have_such_a_case() -> None:
    assert len(list_group_cases()) >= 15


@pytest.mark.parametrize("case", list_cases("advised"), ids=lambda case: case.path.stem)
def test_advice_is_reported_by_an_advisory_policy(case: StackCase) -> None:
    name = case.rule if case.rule in POLICIES_BY_NAME else ""
    policies = [policy for policy in (name, f"{case.rule}-advice") if policy in POLICIES_BY_NAME]
    advisory = [policy for policy in policies if get_level(policy) == EnforcementLevel.ADVISORY]
    assert [message for policy in advisory for message in list_messages(policy, case)]


def list_messages(policy: str, case: StackCase) -> list[str]:
    """What it reports of the stack's first service, or of all of them where it judges a stack."""
    if case.rule not in STACK_RULES:
        return validate_resource(policy, build_props(case.path))
    declaration = load_stack(case.path)
    props = [build_service_props(declaration, name, ()) for name in declaration.services]
    return [message for message, _ in validate_stack(policy, props)]


def get_level(policy: str) -> EnforcementLevel | None:
    return POLICIES_BY_NAME[policy].enforcement_level


def test_every_rule_is_a_policy_of_its_weight() -> None:
    rules = {*SERVICE_RULES, *RACK_RULES, *STACK_RULES}
    assert rules <= set(POLICIES_BY_NAME)
    assert len(POLICIES_BY_NAME) == len(POLICIES), "names are unique"
    for rule in rules:
        severity = load_table()[rule].default_severity
        assert get_level(rule) == EnforcementLevel(severity)
        assert POLICIES_BY_NAME[rule].description


def test_other_resources_are_not_looked_at() -> None:
    dangerous = build_props(DATA / "dangerous" / "trt-graphs-with-auto.yaml")
    assert validate_resource("trt-graph-auto-allreduce", dangerous)
    assert validate_resource("trt-graph-auto-allreduce", dangerous, "other:index:Thing") == []


def test_a_waived_rule_is_a_warning_with_its_reason() -> None:
    waive = [{"rule": "trt-graph-auto-allreduce", "reason": "We look for a fault."}]
    dangerous = build_props(DATA / "dangerous" / "trt-graphs-with-auto.yaml", waive=waive)
    assert validate_resource("trt-graph-auto-allreduce", dangerous) == []
    (message,) = validate_resource("waived-rules", dangerous)
    assert "waived: We look for a fault." in message
    assert get_level("waived-rules") == EnforcementLevel.ADVISORY


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"waive": [{"rule": "no-such-rule", "reason": "x"}]}, "is not a rule"),
        ({"nodes": []}, "cluster.nodes"),
    ],
)
def test_props_that_cannot_be_read_are_refused(change: Props, expected: str) -> None:
    resource_props = build_props(DATA / "good" / "trtllm-two-nodes.yaml", **change)
    (message,) = validate_resource("readable-props", resource_props)
    assert expected in message
    assert (
        validate_resource("readable-props", build_props(DATA / "good" / "trtllm-two-nodes.yaml"))
        == []
    )


def test_props_come_back_as_the_declaration_that_they_were_made_of() -> None:
    for path in sorted((DATA / "good").glob("*.yaml")):
        declaration = load_stack(path)
        name = next(iter(declaration.services))
        reread = read_props(SERVICE_TYPE, build_props(path)).declaration
        assert reread.cluster == declaration.cluster
        assert reread.services[name].to_plain() == declaration.services[name].to_plain()
        rack_declaration = read_props(RACK_TYPE, build_floats(declaration)).declaration
        assert rack_declaration.cluster == declaration.cluster
        assert set(rack_declaration.services) == set(declaration.services)


def test_the_rack_is_judged_by_the_facts_that_the_run_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declaration = load_stack(DATA / "good" / "vllm-two-nodes.yaml")
    given_props = build_floats(declaration)
    host = build_reports(1)["spark-1"].facts.host
    assert host is not None
    path = tmp_path / "facts.json"
    node_reports = build_reports(2, {"host": host.model_dump() | {"kernel": "7.0.0-1019-nvidia"}})
    reports = {name: QueryResult(report=node_report) for name, node_report in node_reports.items()}
    save_facts(Observation(nodes=reports), path)
    assert validate_resource("kernel-cma", given_props, RACK_TYPE) == []
    from policies import judgement

    judgement._judge_props.cache_clear()
    monkeypatch.setenv("SPARKFORM_FACTS", str(path))
    (message,) = validate_resource("kernel-cma", given_props, RACK_TYPE)
    judgement._judge_props.cache_clear()
    assert "RDMA cannot register memory with kernel 7.0.0-1019-nvidia of spark-1." in message


def validate_stack(policy: str, services: list[Props]) -> list[tuple[str, str | None]]:
    messages: list[tuple[str, str | None]] = []
    resources = [
        PolicyResource(
            SERVICE_TYPE,
            dict(service_props),
            f"{URN}-{service_props['name']}",
            "n",
            OPTIONS,
            None,
            None,
            [],
            {},
        )
        for service_props in services
    ]
    validate = cast(StackValidationPolicy, POLICIES_BY_NAME[policy]).validate
    report = cast(ReportViolation, lambda message, urn=None: messages.append((message, urn)))
    validate(StackValidationArgs(resources), report)
    return messages


def test_services_are_judged_against_each_other() -> None:
    first_props = build_props(DATA / "good" / "vllm-two-nodes.yaml")
    second_props = change_service(first_props, port=29501.0)
    ((message, urn),) = validate_stack("ports", [first_props, second_props])
    assert "Port 29501 is taken by vLLM's group of minimax." in message
    assert urn == f"{URN}-second"
    other_port_props = change_service(second_props, port=8001.0)
    assert validate_stack("ports", [first_props, other_port_props]) == []
    assert validate_stack("ports", []) == []
    assert validate_stack("ports", [{"name": "not ours"}]) == [], "readable-props speaks of it"
