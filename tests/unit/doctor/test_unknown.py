"""What was not read is unknown: no row takes it for absent, and none says how to mend it."""

from __future__ import annotations

from functools import cache

import pytest

from sparkform.config import Declaration
from sparkform.doctor import Check
from sparkform.doctor.drift import NOT_CHANGED
from sparkform.report.rack_report import Observation
from tests.support.unread import REASON, hide_items, list_items
from tests.unit.doctor.support import diagnose_recording, list_rows
from tests.unit.doctor.test_engines import (
    COMPLETION,
    build_rank_state,
    build_ready_state,
    build_serving_rack,
    record_ready_states,
)
from tests.unit.doctor.test_native import build_native_stack, record_sparks

RACKS: dict[str, tuple[Observation, Declaration]] = {
    "container": (
        record_ready_states(
            build_ready_state([build_rank_state(0)], COMPLETION),
            build_ready_state([build_rank_state(1)]),
        ),
        build_serving_rack(),
    ),
    "native": (record_sparks(), build_native_stack()),
}


def hide_item(observation: Observation, node: str, item: str) -> Observation:
    """The same query, in which the node could not read one item: null, with its reason."""
    result = observation.nodes[node]
    assert result.report is not None
    new_report = hide_items(result.report, [item])
    nodes = {**observation.nodes, node: result.model_copy(update={"report": new_report})}
    return observation.model_copy(update={"nodes": nodes})


@cache
def list_known_rows(rack: str) -> frozenset[tuple[str | None, str]]:
    return frozenset((row.node, row.message) for row in diagnose_recording(*RACKS[rack]))


def list_new_rows(rack: str, node: str, item: str) -> list[Check]:
    observation, declaration = RACKS[rack]
    known = list_known_rows(rack)
    rows = diagnose_recording(hide_item(observation, node, item), declaration)
    return [row for row in rows if (row.node, row.message) not in known]


@pytest.mark.parametrize(("rack", "node"), [("container", "spark-1"), ("native", "spark-2")])
def test_an_item_that_was_not_read_is_unknown_and_nothing_else_fails(rack: str, node: str) -> None:
    observation, _ = RACKS[rack]
    for item in list_items(observation.reports[node]):
        rows = list_new_rows(rack, node, item)
        assert [row for row in rows if row.node == node and REASON in row.message], item
        for row in rows:
            is_unknown = row.message.startswith("unknown: ") or row.name == NOT_CHANGED
            assert is_unknown or row.status == "ok", (item, row)
            assert not row.message.startswith("unknown: ") or row.fix is None, (item, row)


def test_an_absent_gpu_and_an_empty_swarm_are_still_faults() -> None:
    """The control: what was read and is not there fails, and says what to do."""
    observation, declaration = RACKS["container"]
    report = observation.reports["spark-2"]
    assert report.facts.gpu is not None
    empty = report.facts.gpu.model_copy(update={"gpus": ()})
    new_report = report.model_copy(update={"facts": report.facts.model_copy(update={"gpu": empty})})
    result = observation.nodes["spark-2"].model_copy(update={"report": new_report})
    nodes = {**observation.nodes, "spark-2": result}
    checks = diagnose_recording(observation.model_copy(update={"nodes": nodes}), declaration)
    (row,) = list_rows(checks, "spark-2", "gpu")
    assert (row.status, row.message) == ("fail", "nvidia-smi lists no GPU")
    assert row.fix is not None
