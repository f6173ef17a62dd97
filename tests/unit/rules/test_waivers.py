"""A waiver turns one mandatory rule into a warning, and nothing else."""

from __future__ import annotations

import pytest

from sparkform.errors import InputError
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import RulesVerdict
from tests.unit.config.support import build_cluster, build_declaration, trtllm

REASON = "We look for a fault."


def evaluate_waived(*rules: str, **changes: object) -> RulesVerdict:
    waive = [{"rule": rule, "reason": REASON} for rule in rules]
    service = trtllm(allReduce="AUTO") | changes
    return evaluate(
        Context(declaration=build_declaration(build_cluster(waive=waive), {"one": service}))
    )


def test_a_waived_rule_warns_with_its_reason() -> None:
    verdict = evaluate_waived("trt-graph-auto-allreduce")
    assert verdict.refusals == ()
    (waived,) = [warning for warning in verdict.warnings if warning.waived]
    assert waived.rule == "trt-graph-auto-allreduce"
    assert waived.to_json()["message"].endswith(f"(waived: {REASON})")
    assert waived.to_json()["severity"] == "advisory"


def test_other_rules_still_refuse() -> None:
    verdict = evaluate_waived("trt-graph-auto-allreduce", bind="127.0.0.1")
    assert {violation.rule for violation in verdict.refusals} == {"bind-host"}


def test_a_rule_of_both_weights_can_be_waived_and_its_warnings_stay_as_they_are() -> None:
    image = "nvcr.io/nvidia/tensorrt-llm/release:latest"
    assert {
        violation.rule
        for violation in evaluate_waived("image-pinned", image=image).warnings
        if violation.waived
    } == {"image-pinned"}
    verdict = evaluate_waived("image-pinned")
    assert [
        violation.waived for violation in verdict.warnings if violation.rule == "image-pinned"
    ] == [None]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["gid-pined"], "cluster.waive[0].rule: is not a rule (got gid-pined); did you mean gid-p"),
        (["vllm-eager"], "cluster.waive[0].rule: is an advisory rule"),
        (["gid-pinned", "gid-pinned"], "cluster.waive[1].rule: is waived already"),
    ],
)
def test_what_cannot_be_waived_is_bad_input(rules: list[str], expected: str) -> None:
    with pytest.raises(InputError) as error_info:
        evaluate_waived(*rules)
    assert str(error_info.value.problems[0]).startswith(expected)
