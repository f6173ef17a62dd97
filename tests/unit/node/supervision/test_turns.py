"""Services that share nodes come back one after the other, in the order of the stack file."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from node.host.typed_json import to_json
from node.supervision import restarts
from node.supervision.member import MemberSituation, RankSight, decide_member
from node.supervision.messages import Order
from node.supervision.moment import Moment
from node.supervision.orders import build_order
from node.supervision.paths import get_live_path
from node.supervision.report import LiveFigures, LiveState
from node.supervision.situation import GroupView, Situation
from node.supervision.state import CoordinatorRecord, MemberRecord, Phase, Stage, Turn
from node.supervision.turns import UNHEARD_LIMIT_S, find_turn, read_turns
from tests.support import supervised_cluster as sim
from tests.support.fake_system import FakeSystem
from tests.support.supervised_cluster import SupervisedCluster, build_cluster
from tests.unit.node.supervision.conftest import build_target

NOW = Moment("boot-1", 1000.0)


def test_who_loads_is_waited_for_and_who_is_about_to_by_later_ones_only() -> None:
    assert find_turn({}, (), 0) is None
    assert find_turn({"small": "none"}, ("small",), 0) is None
    assert find_turn({"small": "loading"}, (), 900) == "service small starts first"
    assert find_turn({"small": "next"}, ("small",), 900) == "service small starts first"
    assert find_turn({"small": "next"}, (), 0) is None


def test_an_earlier_one_that_says_nothing_is_waited_for_a_while() -> None:
    unheard = "service small, which starts first, is not heard yet"
    assert find_turn({"small": None}, ("small",), UNHEARD_LIMIT_S - 1) == unheard
    assert find_turn({"small": None}, ("small",), UNHEARD_LIMIT_S) is None
    assert find_turn({"small": None}, (), 0) is None


@pytest.mark.parametrize(
    ("written", "turn"),
    [
        (NOW, "loading"),
        (replace(NOW, boot_s=960.0), None),
        (Moment("boot-0", 999.0), None),
    ],
    ids=["now", "long ago", "before the boot"],
)
def test_only_what_was_written_just_now_counts(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch, written: Moment, turn: Turn | None
) -> None:
    monkeypatch.setattr("node.supervision.turns.read_moment", lambda system: NOW)
    live = LiveState("t", written, "recovering", 1.0, "", LiveFigures(), "loading")
    system.put(get_live_path("small"), json.dumps(to_json(live)))
    system.put(get_live_path("qwen"), json.dumps(to_json(live)))
    assert read_turns(system, build_target()) == {"small": turn}


@pytest.mark.parametrize(
    ("phase", "stage", "starts_after_s", "turn"),
    [
        ("serving", "settled", None, "none"),
        ("starting", "loading", None, "loading"),
        ("recovering", "loading", None, "loading"),
        ("recovering", "launching", None, "loading"),
        ("recovering", "stopping", None, "next"),
        ("recovering", "stopping", 999.0, "next"),
        ("recovering", "stopping", 1007.0, "next"),
        ("recovering", "stopping", 1009.0, "none"),
        ("blocked", "stopping", None, "none"),
        ("blocked", "launching", None, "none"),
        ("gave-up", "stopping", None, "none"),
        ("needs-up", "stopping", None, "none"),
    ],
)
def test_a_service_that_cannot_start_now_holds_no_other_up(
    phase: Phase, stage: Stage, starts_after_s: float | None, turn: Turn
) -> None:
    starts_after = replace(NOW, boot_s=starts_after_s) if starts_after_s else None
    record = CoordinatorRecord(2, phase, stage, starts_after=starts_after)
    situation = Situation(build_target(), record, GroupView(NOW, 0.0))
    assert build_order(situation, 1).turn == turn


def test_a_rank_that_was_ordered_to_start_waits_for_no_other_service() -> None:
    """Else two that were ordered at the same moment would wait for each other."""
    sight = RankSight(turn="service small starts first")
    record = MemberRecord(2, NOW.boot_id)
    order = Order(2, "run", "recovering")
    situation = MemberSituation(record, order, sight, NOW, "container")
    assert decide_member(situation).action == "start"


def build_pair(size: int, seed: int) -> tuple[SupervisedCluster, SupervisedCluster]:
    """`qwen`, and `small` that starts after it, on the same nodes. Rank 0 of `small` is on the last
    one."""
    first, second = build_cluster(size, "container", seed), build_cluster(size, "container", seed)
    ranks = tuple(
        replace(entry, rank=size - 1 - entry.rank) for entry in reversed(second.target.ranks)
    )
    second.target = replace(second.target, service="small", earlier=("qwen",), ranks=ranks)
    for node in second.nodes:
        assert node.rank is not None
        node.rank = size - 1 - node.rank
    first.neighbour, second.neighbour = second, first
    return first, second


def run_pair(pair: tuple[SupervisedCluster, SupervisedCluster], seconds: int) -> list[str]:
    """Which service loaded, in each second; never both."""
    loads = []
    for _ in range(seconds):
        for cluster in pair:
            cluster.step()
        loading = [cluster.target.service for cluster in pair if cluster.is_loading]
        assert len(loading) <= 1, "both load"
        loads += loading
    return loads


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 2, 3])
def test_after_a_power_cut_the_first_one_loads_first(size: int, seed: int) -> None:
    pair = build_pair(size, seed)
    run_pair(pair, 5)
    for cluster in pair:
        sim.shut_all_down(cluster, cluster.head)
    for cluster in pair:
        sim.heal(cluster)
    loads = run_pair(pair, 150)
    assert list(dict.fromkeys(loads)) == ["qwen", "small"]
    assert [cluster.phase for cluster in pair] == ["serving", "serving"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 2, 3])
def test_one_that_fails_while_the_other_loads_waits_for_it(size: int, seed: int) -> None:
    pair = build_pair(size, seed)
    run_pair(pair, 5)
    sim.kill_rank(pair[1], pair[1].head)
    run_pair(pair, 15 + int(restarts.SHORTEST_WAIT_S))
    assert pair[1].is_loading
    sim.kill_rank(pair[0], pair[0].head)
    loads = run_pair(pair, 120)
    assert list(dict.fromkeys(loads)) == ["small", "qwen"]
    assert [cluster.phase for cluster in pair] == ["serving", "serving"]


def test_one_that_fails_again_and_again_lets_the_other_serve() -> None:
    pair = build_pair(2, 1)
    run_pair(pair, 5)
    pair[0].nodes[1].start_error = "no such file"
    for cluster in pair:
        sim.kill_rank(cluster, cluster.nodes[1])
    run_pair(pair, 200)
    assert (pair[0].phase, pair[1].phase) == ("recovering", "serving")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("size", [1, 2, 3])
def test_one_that_never_becomes_ready_lets_the_other_serve(size: int, seed: int) -> None:
    """It is waited for until its start has failed; in its back-off the other one comes."""
    pair = build_pair(size, seed)
    run_pair(pair, 5)
    pair[0].head.hangs_at_start = True
    for cluster in pair:
        sim.kill_rank(cluster, cluster.nodes[-1])
    loads = run_pair(pair, 3 * int(sim.START_LIMIT_S))
    assert list(dict.fromkeys(loads)) == ["qwen", "small"]
    assert (pair[0].phase, pair[1].phase) == ("recovering", "serving")


def test_without_turns_both_would_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the checks above."""
    monkeypatch.setattr(sim, "find_turn", lambda *arguments: None)
    pair = build_pair(2, 1)
    run_pair(pair, 5)
    for cluster in pair:
        sim.kill_rank(cluster, cluster.nodes[1])
    with pytest.raises(AssertionError, match="both load"):
        run_pair(pair, 60)
