"""The stack files of this repository: nothing mandatory, and exactly these advisories."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.own_stacks import list_own_stack_files
from tests.unit.rules.support import evaluate_stack, list_refused, list_warned

ROOT = Path(__file__).parents[3]
ADVISORIES = {
    "Pulumi.spark.yaml": {"swarm-rdma-unproven", "image-pinned", "revision-pinned"},
    "Pulumi.spark-switch.yaml": {"container-overhead", "image-pinned", "revision-pinned"},
}


def test_every_stack_file_is_listed() -> None:
    assert list_own_stack_files() == set(ADVISORIES)


@pytest.mark.parametrize("name", ADVISORIES)
def test_a_stack_file_has_no_mandatory_violation_and_the_listed_advisories(name: str) -> None:
    rules_verdict = evaluate_stack(ROOT / name)
    assert list_refused(rules_verdict) == set()
    assert list_warned(rules_verdict) == ADVISORIES[name]
