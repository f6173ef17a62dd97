"""The typed document: what the node's parsers give is what the control side takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from node.facts import NAMES
from sparkform.report.facts import Facts, NodeReport
from sparkform.report.rack_report import NodeError, Observation, QueryResult
from tests.unit.ssh import samples


@pytest.mark.parametrize("case", samples.READABLE, ids=lambda case: f"{case.fact}-{case.name}")
def test_what_a_parser_gives_is_what_the_model_takes(case: Any) -> None:
    taken = Facts.model_validate_json(json.dumps({case.fact: case.expected}))
    assert json.loads(taken.model_dump_json())[case.fact] == case.expected


def test_the_model_has_every_fact_of_the_node_and_no_other() -> None:
    assert set(Facts.model_fields) == {*NAMES, "claim"}


VALUES = {
    name: [None] + [case.expected for case in samples.READABLE if case.fact == name]
    for name in NAMES
}
documents = st.fixed_dictionaries(
    {
        "version": st.integers(1, 9),
        "unix_time_s": st.floats(0, 1e11),
        "facts": st.fixed_dictionaries(
            {}, optional={n: st.sampled_from(v) for n, v in VALUES.items()}
        ),
        "steps": st.dictionaries(
            st.text(max_size=5), st.none() | st.lists(st.integers(), max_size=2)
        ),
        "receipts": st.dictionaries(st.text(max_size=5), st.text(max_size=9)),
        "unreadable": st.lists(
            st.fixed_dictionaries({"what": st.text(max_size=5), "why": st.text(max_size=5)}),
            max_size=2,
        ),
    }
)


@given(documents)
def test_an_observation_survives_the_way_through_a_file(document: dict[str, Any]) -> None:
    result = QueryResult(report=NodeReport.model_validate_json(json.dumps(document)))
    observation = Observation(nodes={"spark-1": result})
    assert Observation.model_validate_json(observation.model_dump_json()) == observation


def test_keys_of_a_newer_node_program_are_passed_over() -> None:
    newer = samples.build_document(version=2, news=[1])
    newer["facts"] = {"gpu": None, "weather": "fine"}
    assert NodeReport.model_validate_json(json.dumps(newer)).facts == Facts()


@pytest.mark.parametrize(
    "change",
    [{"version": "1"}, {"facts": {"logind": {"remove_ipc": "yes"}}}, {"receipts": {"a": 1}}],
    ids=["version", "fact", "receipt"],
)
def test_a_value_of_another_type_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NodeReport.model_validate_json(json.dumps(samples.build_document(**change)))


def test_a_result_holds_either_a_report_or_an_error() -> None:
    report = NodeReport.model_validate_json(samples.print_document())
    error = NodeError(kind="frozen", what="w", remedy="r")
    for fields in ({}, {"report": report, "error": error}):
        with pytest.raises(ValidationError):
            QueryResult(**fields)  # type: ignore[arg-type]
