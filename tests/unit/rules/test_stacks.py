"""The stacks of tests/data: each dangerous one is a good one with one change, and is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rules.support import (
    DATA,
    Case,
    cases,
    changed_paths,
    document,
    is_pasteable,
    read_case,
    refusing,
    verdict,
    warning,
)

DANGEROUS, ADVISED = cases("dangerous"), cases("advised")
GOOD = sorted((DATA / "good").glob("*.yaml"))
WORKS = sorted((DATA / "works").glob("*.yaml"))

# Failures that a stack can show, by their number in the reports; the rest are of other engines or
# not visible in a configuration. B011 (unequal ranks) needs ranks: test_with_ranks.
SHOWN = re.findall(
    r"B\d+",
    "B003 B005 B007 B009 B013 B015 B019 B021 B023 B025 B027 B029"
    " B031 B033 B035 B039 B043 B047 B055 B057",
)


def name(case: Case | Path) -> str:
    return (case.path if isinstance(case, Case) else case).stem


def wrong_changes(case: Case) -> set[str]:
    """The paths in which a case differs from its good stack, besides the one it names."""
    first, second = document(case.good)["config"], document(case.path)["config"]
    found = changed_paths(flat(first), flat(second))
    wanted = case.change
    return {
        path
        for path in found
        if path != wanted and not path.startswith((f"{wanted}.", f"{wanted}["))
    }


def flat(config: dict[str, Any]) -> dict[str, Any]:
    """The config with the paths that messages use: services.NAME.key."""
    return {key.removeprefix("sparkform:"): value for key, value in config.items()}


@pytest.mark.parametrize("case", DANGEROUS, ids=name)
def test_a_dangerous_stack_is_refused_by_its_rule(case: Case) -> None:
    assert case.rule in refusing(verdict(case.path))
    assert case.rule not in refusing(verdict(case.good)), "the good stack is not"


@pytest.mark.parametrize("case", ADVISED, ids=name)
def test_an_advised_stack_is_warned_of_by_its_rule(case: Case) -> None:
    assert case.rule in warning(verdict(case.path))
    assert case.rule not in warning(verdict(case.good)), "the good stack is not"


@pytest.mark.parametrize("case", DANGEROUS + ADVISED, ids=name)
def test_a_case_differs_from_its_good_stack_in_one_key(case: Case) -> None:
    assert wrong_changes(case) == set()


def test_a_second_change_is_found(tmp_path: Path) -> None:
    case = DANGEROUS[0]
    planted = tmp_path / "planted.yaml"
    planted.write_text(case.path.read_text().replace("user: nvidia", "user: somebody"))
    assert wrong_changes(read_case(planted)) == {"cluster.user"}


@pytest.mark.parametrize("path", GOOD, ids=name)
def test_a_good_stack_is_not_refused(path: Path) -> None:
    assert [str(one) for one in verdict(path).refusals] == []


@pytest.mark.parametrize("path", WORKS, ids=name)
def test_a_recipe_that_works_is_not_refused(path: Path) -> None:
    assert [str(one) for one in verdict(path).refusals] == []


@pytest.mark.parametrize("case", DANGEROUS + ADVISED, ids=name)
def test_a_remedy_can_be_pasted(case: Case) -> None:
    for one in verdict(case.path).violations:
        assert is_pasteable(one.remedy), one.remedy


def test_a_remedy_in_prose_is_found() -> None:
    assert not is_pasteable("take it out")
    assert not is_pasteable("engin: vllm")


def test_only_these_working_recipes_need_a_waiver() -> None:
    """Two builds pad heads for TP=3, and one first light ran over sockets, which is what
    ib-disabled is about: it worked, at 62 % of the speed."""
    waived = {
        path.stem.split("-")[0]: {one.rule for one in verdict(path).warnings if one.waived}
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
        for one in verdict(case.path).violations:
            assert one.message.startswith(("The service must ", "The cluster must ")), one
            assert one.message.endswith("."), one
            assert "\n" not in one.message
            assert one.remedy, one
            assert one.evidence, one
            assert one.path.startswith(("services.", "cluster.")), one
            assert set(one.document()) == {
                "rule",
                "severity",
                "path",
                "message",
                "evidence",
                "remedy",
            }
            json.dumps(one.document())
