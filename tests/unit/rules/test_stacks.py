"""The stacks of tests/data: each dangerous one is a good one with one change, and is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rules.support import (
    DATA,
    StackCase,
    evaluate_stack,
    is_pasteable,
    list_cases,
    list_changed_paths,
    list_refused,
    list_warned,
    read_case,
    read_document,
)

DANGEROUS, ADVISED = list_cases("dangerous"), list_cases("advised")
GOOD = sorted((DATA / "good").glob("*.yaml"))
WORKS = sorted((DATA / "works").glob("*.yaml"))

# Failures that a stack can show, by their number in the reports; the rest are of other engines or
# not visible in a configuration. B011 (unequal ranks) needs ranks: test_with_ranks.
SHOWN = re.findall(
    r"B\d+",
    "B003 B005 B007 B009 B013 B015 B019 B021 B023 B025 B027 B029"
    " B031 B033 B035 B039 B043 B047 B055 B057",
)


def get_name(case: StackCase | Path) -> str:
    return (case.path if isinstance(case, StackCase) else case).stem


def list_wrong_changes(case: StackCase) -> set[str]:
    """The paths in which a case differs from its good stack, besides the one it names."""
    good_config, config = read_document(case.good)["config"], read_document(case.path)["config"]
    paths = list_changed_paths(flatten_config(good_config), flatten_config(config))
    named_path = case.change
    return {
        path
        for path in paths
        if path != named_path and not path.startswith((f"{named_path}.", f"{named_path}["))
    }


def flatten_config(config: dict[str, Any]) -> dict[str, Any]:
    """The config with the paths that messages use: services.NAME.key."""
    return {key.removeprefix("sparkform:"): value for key, value in config.items()}


@pytest.mark.parametrize("case", DANGEROUS, ids=get_name)
def test_a_dangerous_stack_is_refused_by_its_rule(case: StackCase) -> None:
    assert case.rule in list_refused(evaluate_stack(case.path))
    assert case.rule not in list_refused(evaluate_stack(case.good)), "the good stack is not"


@pytest.mark.parametrize("case", ADVISED, ids=get_name)
def test_an_advised_stack_is_warned_of_by_its_rule(case: StackCase) -> None:
    assert case.rule in list_warned(evaluate_stack(case.path))
    assert case.rule not in list_warned(evaluate_stack(case.good)), "the good stack is not"


@pytest.mark.parametrize("case", DANGEROUS + ADVISED, ids=get_name)
def test_a_case_differs_from_its_good_stack_in_one_key(case: StackCase) -> None:
    assert list_wrong_changes(case) == set()


def test_a_second_change_is_found(tmp_path: Path) -> None:
    case = DANGEROUS[0]
    planted = tmp_path / "planted.yaml"
    planted.write_text(case.path.read_text().replace("user: nvidia", "user: somebody"))
    assert list_wrong_changes(read_case(planted)) == {"cluster.user"}


@pytest.mark.parametrize("path", GOOD, ids=get_name)
def test_a_good_stack_is_not_refused(path: Path) -> None:
    assert [str(violation) for violation in evaluate_stack(path).refusals] == []


@pytest.mark.parametrize("path", WORKS, ids=get_name)
def test_a_recipe_that_works_is_not_refused(path: Path) -> None:
    assert [str(violation) for violation in evaluate_stack(path).refusals] == []


@pytest.mark.parametrize("case", DANGEROUS + ADVISED, ids=get_name)
def test_a_remedy_can_be_pasted(case: StackCase) -> None:
    for violation in evaluate_stack(case.path).violations:
        assert is_pasteable(violation.remedy), violation.remedy


def test_a_remedy_in_prose_is_found() -> None:
    assert not is_pasteable("take it out")
    assert not is_pasteable("engin: vllm")


def test_only_these_working_recipes_need_a_waiver() -> None:
    """Two builds pad heads for TP=3, and one first light ran over sockets, which is what
    ib-disabled is about: it worked, at 62 % of the speed."""
    waived = {
        path.stem.split("-")[0]: {
            violation.rule for violation in evaluate_stack(path).warnings if violation.waived
        }
        for path in WORKS
    }
    assert {number: rules for number, rules in waived.items() if rules} == {
        "G041": {"ib-disabled"},
        "G045": {"ring-tp", "tp-heads"},
        "G063": {"ring-tp"},
    }


def test_there_are_enough_dangerous_stacks_and_each_report_is_among_them() -> None:
    text = "\n".join(case.path.read_text() for case in DANGEROUS)
    assert len(DANGEROUS) >= 40
    assert [number for number in SHOWN if number not in text] == []


def test_all_working_recipes_of_our_engines_are_there() -> None:
    assert len(WORKS) == 35


def test_a_violation_says_where_why_and_what_to_write() -> None:
    for case in DANGEROUS + ADVISED:
        for violation in evaluate_stack(case.path).violations:
            assert " must " not in violation.message, "it says what breaks, the remedy what to set"
            assert re.fullmatch(r"[^\n]{20,180}\.", violation.message), violation
            assert "\n" not in violation.message
            assert violation.remedy, violation
            assert violation.evidence, violation
            assert violation.path.startswith(("services.", "cluster.")), violation
            assert set(violation.to_json()) == {
                "rule",
                "severity",
                "path",
                "message",
                "evidence",
                "remedy",
            }
            json.dumps(violation.to_json())
