"""Each fact's parser against what tools really printed, and against damage."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from node.facts import NAMES
from node.facts.reading import UnreadableFact
from tests.unit.node.facts.cases import CASES, RecordedCase

# No tool prints this file; what stands in a stock one is a claim without a recording.
WITHOUT_A_RECORDING = {"nccl_conf"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fact}-{case.name}")
def test_a_parser_reads_a_case_as_recorded(case: RecordedCase) -> None:
    if case.unreadable is None:
        assert case.module.parse(**case.input) == case.expected
    else:
        with pytest.raises(UnreadableFact) as raised:
            case.module.parse(**case.input)
        assert str(raised.value) == case.unreadable


def test_every_fact_has_at_least_two_cases_and_one_of_them_damaged() -> None:
    counted = Counter(case.fact for case in CASES)
    damaged = {case.fact for case in CASES if "damaged" in case.name or "cut_short" in case.name}
    assert {name for name in NAMES if counted[name] < 2} == set()
    assert set(NAMES) - damaged == set()


def test_every_case_belongs_to_a_fact_and_names_its_source() -> None:
    assert {case.fact for case in CASES} <= set(NAMES)
    assert [case.name for case in CASES if not case.source.strip()] == []


def test_every_tool_has_at_least_one_real_recording() -> None:
    recorded = {case.fact for case in CASES if not case.source.startswith("constructed")}
    assert set(NAMES) - recorded == WITHOUT_A_RECORDING


def test_no_secret_in_an_input_reaches_a_fact() -> None:
    planted = [case for case in CASES if "CANARY" in json.dumps(case.input)]
    leaking = [
        case.name for case in planted if "CANARY" in json.dumps([case.expected, case.unreadable])
    ]
    assert {case.fact for case in planted} == {"docker", "netplan", "nccl_conf", "native_units"}
    assert leaking == []
