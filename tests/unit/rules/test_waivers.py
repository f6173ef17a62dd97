"""A waiver turns one mandatory rule into a warning, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from sparkform.errors import InputError
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.outcome import Verdict
from tests.unit.config.support import cluster, spec, trtllm

REASON = "We look for a fault."


def judged(*rules: str, **changes: Any) -> Verdict:
    waive = [{"rule": rule, "reason": REASON} for rule in rules]
    service = trtllm(allReduce="AUTO") | changes
    return evaluate(Context(spec=spec(cluster(waive=waive), {"one": service})))


def test_a_waived_rule_warns_with_its_reason() -> None:
    found = judged("trt-graph-auto-allreduce")
    assert found.refusals == ()
    (one,) = [one for one in found.warnings if one.waived]
    assert one.rule == "trt-graph-auto-allreduce"
    assert one.document()["message"].endswith(f"(waived: {REASON})")
    assert one.document()["severity"] == "advisory"


def test_other_rules_still_refuse() -> None:
    found = judged("trt-graph-auto-allreduce", bind="127.0.0.1")
    assert {one.rule for one in found.refusals} == {"bind-host"}


def test_a_rule_of_both_weights_can_be_waived_and_its_warnings_stay_as_they_are() -> None:
    image = "nvcr.io/nvidia/tensorrt-llm/release:latest"
    assert {one.rule for one in judged("image-pinned", image=image).warnings if one.waived} == {
        "image-pinned"
    }
    pinned = judged("image-pinned")
    assert [one.waived for one in pinned.warnings if one.rule == "image-pinned"] == [None]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (["gid-pined"], "cluster.waive[0].rule: is not a rule (got gid-pined); did you mean gid-p"),
        (["vllm-eager"], "cluster.waive[0].rule: is an advisory rule"),
        (["gid-pinned", "gid-pinned"], "cluster.waive[1].rule: is waived already"),
    ],
)
def test_what_cannot_be_waived_is_bad_input(rules: list[str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        judged(*rules)
    assert str(refused.value.problems[0]).startswith(said)
