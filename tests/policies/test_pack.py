"""The policies, called as Pulumi calls them: one changed property each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

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
from sparkform.config import load_stack
from sparkform.report.rack_report import NodeReport, Observation
from sparkform.report.recording import save_facts
from sparkform.rules.props import RACK_TYPE, SERVICE_TYPE, rack_props, read_props, service_props
from sparkform.rules.registry import GROUPS, RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.stack_secrets import secret_names
from sparkform.rules.table import table
from tests.unit.rules.support import DATA, Case, cases, documents

BY_NAME = {policy.name: policy for policy in POLICIES}
URN = "urn:pulumi:dev::rack::sparkform:index:InferenceService::one"
OPTIONS = cast(PolicyResourceOptions, None)


def floats(value: Any) -> Any:
    """Numbers as the engine hands them on."""
    if isinstance(value, dict):
        return {key: floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def props(path: Path, **cluster: Any) -> dict[str, Any]:
    spec = load_stack(path)
    made = service_props(spec, next(iter(spec.services)), secret_names(path))
    made["cluster"] |= cluster
    return cast(dict[str, Any], floats(made))


def reported(policy: str, given: Mapping[str, Any], type_name: str = SERVICE_TYPE) -> list[str]:
    said: list[str] = []
    args = ResourceValidationArgs(
        type_name, unknown_checking_proxy(dict(given)), URN, "one", OPTIONS, None
    )
    validate = cast(ResourceValidationPolicy, BY_NAME[policy]).validate
    validate(args, cast(ReportViolation, lambda message, urn=None: said.append(message)))
    return said


def of_group() -> list[Case]:
    """For each rule group one dangerous stack that one of its service rules refuses."""
    known = cases("dangerous")
    chosen = (
        next((case for case in known if case.rule in getattr(group, "SERVICE_RULES", {})), None)
        for group in GROUPS
    )
    return [case for case in chosen if case is not None]


@pytest.mark.parametrize("case", of_group(), ids=lambda case: case.rule)
def test_one_changed_property_is_refused(case: Case) -> None:
    (message, *_) = reported(case.rule, props(case.path))
    assert "The service must" in message
    assert "Write: " in message
    assert "evidence: " in message
    assert reported(case.rule, props(case.good)) == []


def test_most_groups_have_such_a_case() -> None:
    assert len(of_group()) >= 15


@pytest.mark.parametrize("case", cases("advised"), ids=lambda case: case.path.stem)
def test_advice_is_reported_by_an_advisory_policy(case: Case) -> None:
    name = case.rule if case.rule in BY_NAME else ""
    policies = [one for one in (name, f"{case.rule}-advice") if one in BY_NAME]
    weak = [one for one in policies if level(one) == EnforcementLevel.ADVISORY]
    assert [message for one in weak for message in reported(one, props(case.path))]


def level(policy: str) -> EnforcementLevel | None:
    return BY_NAME[policy].enforcement_level


def test_every_rule_is_a_policy_of_its_weight() -> None:
    rules = {*SERVICE_RULES, *RACK_RULES, *STACK_RULES}
    assert rules <= set(BY_NAME)
    assert len(BY_NAME) == len(POLICIES), "names are unique"
    for rule in rules:
        wanted = table()[rule].default_severity
        assert level(rule) == EnforcementLevel(wanted)
        assert BY_NAME[rule].description


def test_other_resources_are_not_looked_at() -> None:
    bad = props(DATA / "dangerous" / "trt-graphs-with-auto.yaml")
    assert reported("trt-graph-auto-allreduce", bad)
    assert reported("trt-graph-auto-allreduce", bad, "other:index:Thing") == []


def test_a_waived_rule_is_a_warning_with_its_reason() -> None:
    waive = [{"rule": "trt-graph-auto-allreduce", "reason": "We look for a fault."}]
    bad = props(DATA / "dangerous" / "trt-graphs-with-auto.yaml", waive=waive)
    assert reported("trt-graph-auto-allreduce", bad) == []
    (message,) = reported("waived-rules", bad)
    assert "waived: We look for a fault." in message
    assert level("waived-rules") == EnforcementLevel.ADVISORY


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"waive": [{"rule": "no-such-rule", "reason": "x"}]}, "is not a rule"),
        ({"nodes": []}, "cluster.nodes"),
    ],
)
def test_props_that_cannot_be_read_are_refused(change: dict[str, Any], said: str) -> None:
    given = props(DATA / "good" / "trtllm-two-nodes.yaml", **change)
    (message,) = reported("readable-props", given)
    assert said in message
    assert reported("readable-props", props(DATA / "good" / "trtllm-two-nodes.yaml")) == []


def test_props_come_back_as_the_declaration_that_they_were_made_of() -> None:
    for path in sorted((DATA / "good").glob("*.yaml")):
        spec = load_stack(path)
        name = next(iter(spec.services))
        again = read_props(SERVICE_TYPE, props(path)).spec
        assert again.cluster == spec.cluster
        assert again.services[name].plain() == spec.services[name].plain()
        rack = read_props(RACK_TYPE, floats(rack_props(spec, ()))).spec
        assert rack.cluster == spec.cluster
        assert set(rack.services) == set(spec.services)


def test_the_rack_is_judged_by_the_facts_that_the_run_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_stack(DATA / "good" / "vllm-two-nodes.yaml")
    given = floats(rack_props(spec, ()))
    host = documents(1)["spark-1"].facts.host
    assert host is not None
    recorded = tmp_path / "facts.json"
    old = documents(2, {"host": host.model_dump() | {"kernel": "7.0.0-1019-nvidia"}})
    reports = {name: NodeReport(document=document) for name, document in old.items()}
    save_facts(Observation(nodes=reports), recorded)
    assert reported("kernel-cma", given, RACK_TYPE) == []
    from policies import judgement

    judgement._judged.cache_clear()
    monkeypatch.setenv("SPARKFORM_FACTS", str(recorded))
    (message,) = reported("kernel-cma", given, RACK_TYPE)
    judgement._judged.cache_clear()
    assert "The cluster must run another kernel than 7.0.0-1019-nvidia on spark-1" in message


def stack_reported(policy: str, services: list[Mapping[str, Any]]) -> list[tuple[str, str | None]]:
    said: list[tuple[str, str | None]] = []
    resources = [
        PolicyResource(
            SERVICE_TYPE, dict(one), f"{URN}-{one['name']}", "n", OPTIONS, None, None, [], {}
        )
        for one in services
    ]
    validate = cast(StackValidationPolicy, BY_NAME[policy]).validate
    report = cast(ReportViolation, lambda message, urn=None: said.append((message, urn)))
    validate(StackValidationArgs(resources), report)
    return said


def test_services_are_judged_against_each_other() -> None:
    first = props(DATA / "good" / "vllm-two-nodes.yaml")
    second = first | {"name": "second", "service": first["service"] | {"port": 8001.0}}
    ((message, urn),) = stack_reported("ports", [first, second])
    assert "The service must not open port 29501 on nodes where minimax has it" in message
    assert urn == f"{URN}-second"
    apart = second | {"service": second["service"] | {"extraArgs": ["--master-port", "29502"]}}
    assert stack_reported("ports", [first, apart]) == []
    assert stack_reported("ports", []) == []
    assert stack_reported("ports", [{"name": "not ours"}]) == [], "readable-props speaks of it"
