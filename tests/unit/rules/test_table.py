"""Code, table, docs and cases name the same rules."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from sparkform.rules import registry
from sparkform.rules.explanation import find_explanation, list_rule_functions, render_page
from sparkform.rules.groups.known_failures import ReportedFailure, load_reported_failures
from sparkform.rules.setting_sources import SOURCES
from sparkform.rules.table import load_table, parse_table
from tests.unit.rules.support import list_cases
from tests.unit.rules.test_with_facts import CASES

ROOT = Path(__file__).parents[3]
BY_AN_IMAGE = "nccl-soak"
"""Shown with a planted catalogue: test_the_nccl_of_an_image_decides."""

HEADER = "id,severity,engines,source\n"


def list_differences(code: set[str], rows: set[str], docs: str) -> list[str]:
    """What stands in one of the three and not in the others."""
    return [
        *(f"{rule} has a row and no function" for rule in sorted(rows - code)),
        *(f"{rule} has a function and no row" for rule in sorted(code - rows)),
        *(f"{rule} is not in the docs" for rule in sorted(rows) if f"\n### {rule}\n" not in docs),
    ]


def test_code_table_and_docs_agree() -> None:
    docs = (ROOT / "docs" / "rules.md").read_text()
    assert list_differences(set(list_rule_functions()), set(load_table()), docs) == []


def test_a_planted_difference_is_found() -> None:
    docs = "\n### a\n"
    assert list_differences({"a", "b"}, {"a", "c"}, docs) == [
        "c has a row and no function",
        "b has a function and no row",
        "c is not in the docs",
    ]


def test_the_docs_are_what_the_command_writes() -> None:
    assert (ROOT / "docs" / "rules.md").read_text() == render_page(), (
        "run `python -m sparkform.rules.explanation > docs/rules.md`"
    )


def test_every_rule_has_a_case_that_breaks_it_and_one_that_does_not() -> None:
    broken = {case.rule for folder in ("dangerous", "advised") for case in list_cases(folder)}
    broken |= {case.rule for case in CASES} | {BY_AN_IMAGE}
    assert set(load_table()) - broken == set()


def test_no_rule_stands_in_two_scopes() -> None:
    scopes = (registry.SERVICE_RULES, registry.RACK_RULES, registry.STACK_RULES)
    assert sum(map(len, scopes)) == len(list_rule_functions())
    assert all(load_table()[rule].engines == "none" for rule in registry.RACK_RULES)


@pytest.mark.parametrize("rule", load_table())
def test_every_rule_has_a_story_and_sources(rule: str) -> None:
    story = find_explanation(rule)
    assert len(story.text) > 60
    assert story.text.splitlines()[0].endswith((".", ":")), "the first sentence fits on its line"
    assert all(len(source) > 5 for source in story.sources)


def test_every_reported_failure_is_well_formed() -> None:
    """The program takes the rows as they are; here they are held to their types."""
    rows = [asdict(failure) for failure in load_reported_failures()]
    assert TypeAdapter(list[ReportedFailure]).validate_python(rows) == list(
        load_reported_failures()
    )
    for failure in load_reported_failures():
        for name in (*failure.settings, *failure.above, *failure.unless):
            is_variable = name in failure.unless and name.isupper()
            assert is_variable or name in SOURCES[failure.engine], f"{failure.id} asks for {name}"
        patterns = [
            *failure.images,
            *failure.models,
            *failure.settings.values(),
            *failure.variables.values(),
        ]
        assert all(text == text.lower() for text in patterns), "compared in lower case"


def test_every_reported_failure_has_a_source_and_an_id_of_its_own() -> None:
    assert all(len(failure.source) > 10 for failure in load_reported_failures())
    assert len({failure.id for failure in load_reported_failures()}) == len(
        load_reported_failures()
    )


@pytest.mark.parametrize(
    "text",
    [
        "id,severity\n",
        HEADER + "a,fatal,both,seed\n",
        HEADER + "a,mandatory,sglang,seed\n",
        HEADER + "a,mandatory,both,\n",
        HEADER + "a,mandatory,both,seed\na,advisory,both,seed\n",
    ],
)
def test_a_damaged_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"columns|damaged|twice"):
        parse_table(text)
