"""The pure parts of benchmarks.idle_up: what counts as unchanged, ratios, growth."""

from __future__ import annotations

import json

import pytest

from benchmarks import our_side, pyinfra_side
from benchmarks.idle_report import OURS, BenchResult, render_lines
from benchmarks.measure import Sample, compute_medians

IDLE = "Resources:\n    24 unchanged\n\nDuration: 1s\n"
TABLE = """
    Operation               Hosts   Success   Error   No Change
    /etc/docker/daemon.json 2       -         -       2
    Grand total             14      {success}  {error}  {same}
"""


def test_an_up_that_left_everything_alone_is_unchanged() -> None:
    assert our_side.is_unchanged(IDLE)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "Resources:\n    ~ 1 updated\n    23 unchanged\n",
        "Resources:\n    + 24 created\n",
        "Resources:\n\n",
    ],
)
def test_an_up_that_did_anything_or_said_nothing_is_not_unchanged(output: str) -> None:
    assert not our_side.is_unchanged(output)


def test_a_pyinfra_run_without_change_is_unchanged() -> None:
    assert pyinfra_side.is_unchanged(TABLE.format(success="-", error="-", same="14"))


@pytest.mark.parametrize(
    ("success", "error", "same"), [("1", "-", "13"), ("-", "7", "7"), ("-", "-", "7")]
)
def test_a_pyinfra_run_that_changed_failed_or_left_out_something_is_not(
    success: str, error: str, same: str
) -> None:
    assert not pyinfra_side.is_unchanged(TABLE.format(success=success, error=error, same=same))
    assert not pyinfra_side.is_unchanged("")


def test_the_kept_files_are_those_of_the_manifest_each_once() -> None:
    entries = [
        {"kind": "file", "subject": "/etc/nccl.conf"},
        {"kind": "action", "subject": "restart docker"},
        {"kind": "file", "subject": "/etc/docker/daemon.json"},
        {"kind": "file", "subject": "/etc/nccl.conf"},
    ]
    manifest = "\n".join(map(json.dumps, entries))
    assert pyinfra_side.list_kept_paths(manifest) == ["/etc/docker/daemon.json", "/etc/nccl.conf"]


def test_a_median_is_taken_of_each_figure_on_its_own() -> None:
    samples = [Sample(1, 9, 5), Sample(2, 8, 4), Sample(30, 7, 6)]
    assert compute_medians(samples) == Sample(2, 8, 5)


def build_result(nodes: int, our_walls: list[float], rival_walls: list[float]) -> BenchResult:
    samples = {
        OURS: [Sample(wall_s, 1, 1) for wall_s in our_walls],
        "pyinfra": [Sample(wall_s, 1, 1) for wall_s in rival_walls],
    }
    return BenchResult(nodes, Sample(9, 1, 1), samples)


def test_a_ratio_pairs_the_runs_of_one_round_so_that_a_busy_round_does_not_count() -> None:
    assert build_result(2, [1, 1, 20], [2, 2, 40]).compute_ratio("pyinfra") == 0.5
    assert build_result(2, [1, 3], [2, 3]).compute_ratio("pyinfra") == 0.75


def test_the_goal_is_judged_on_two_nodes_and_growth_between_the_ends() -> None:
    report = list(
        render_lines(
            [build_result(1, [1], [2]), build_result(2, [1.4], [2]), build_result(4, [1.6], [8])]
        )
    )
    assert "goal against pyinfra, 2 nodes: reached (0.70, at most 0.7)" in report
    assert "sparkform: +0.20 s a node" in report
    assert "pyinfra: +2.00 s a node" in report


def test_a_missed_goal_is_called_missed() -> None:
    report = list(render_lines([build_result(2, [1.5], [2])]))
    assert report[-1] == "goal against pyinfra, 2 nodes: missed (0.75, at most 0.7)"


def test_a_row_holds_the_median_the_fastest_and_the_ratio() -> None:
    row = next(
        line for line in render_lines([build_result(2, [3, 1, 2], [4, 4, 4])]) if OURS in line
    )
    assert row.split() == ["2", OURS, "2.00", "1.00", "1.00", "1.00"]
