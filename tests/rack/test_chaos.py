"""Ten rounds of faults at random, always the same ones: what must never be is not seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos.__main__ import open_chaos
from benchmarks.chaos.checker import find_violations
from benchmarks.chaos.records import read_records
from benchmarks.chaos.rounds import run_rounds
from benchmarks.chaos.summary import render_summary
from tests.rack.conftest import RackFactory

pytestmark = [pytest.mark.rack, pytest.mark.long]

ROUNDS, SEED = 10, 283
"""Ten different faults: all but a cut management network and an `up` that is killed."""

BOUND_S = 300.0
"""Generous: the machine may be slow."""


def test_ten_rounds_of_faults_break_no_invariant(rack: RackFactory, tmp_path: Path) -> None:
    machines = rack(nodes=2, fabric="direct")
    log = tmp_path / "chaos.jsonl"
    with open_chaos(machines.rack, tmp_path / "stack", SEED, BOUND_S) as chaos:
        run_rounds(chaos, range(ROUNDS), log)
    records = read_records(log)
    print(render_summary(records))
    assert [find_violations(record, BOUND_S) for record in records] == [[]] * ROUNDS
