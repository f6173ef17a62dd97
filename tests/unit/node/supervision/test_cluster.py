"""Any faults at any time, on 1 to 8 nodes in three runtimes: what must never be is never seen, and
once the faults end the service serves again. Each invariant first finds a planted violation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.supervision import coordinator, member, restarts
from node.supervision.member import MemberSituation, MemberStep
from node.supervision.situation import Situation
from node.supervision.state import Phase, RecordedRun
from tests.support import supervised_cluster as sim
from tests.support.supervised_cluster import InvariantBroken, SupervisedCluster, build_cluster

RUNTIMES = ("container", "native", "swarm")
RECOVERY_LIMIT_S = 300.0 + sim.LOAD_S + sim.START_LIMIT_S + 300.0
"""The longest back-off, a start that had to fail once more, and a margin for lost messages."""

FAULTS = [
    sim.kill_rank,
    sim.hang_rank,
    sim.kill_supervisor,
    sim.kill_at_an_effect,
    sim.shut_down,
    sim.cut_power,
    sim.shut_all_down,
    sim.cut_management,
    sim.stop_docker,
    sim.restart_docker_under_a_living_rank,
    sim.fill_disk,
]


def await_serving(cluster: SupervisedCluster, phases: tuple[Phase, ...] = ("serving",)) -> float:
    """How long it took."""
    started_s = cluster.now_s
    while cluster.phase not in phases or not cluster.is_working:
        cluster.step()
        if cluster.now_s - started_s > RECOVERY_LIMIT_S:
            group = cluster.coordinator.group
            raise InvariantBroken(f"serves not again: {group and group.record}")
    return cluster.now_s - started_s


@st.composite
def clusters(draw: st.DrawFn) -> SupervisedCluster:
    size = draw(st.sampled_from([1, 2, 2, 3, 4, 8]))
    loss = draw(st.sampled_from([0.0, 0.0, 0.2, 0.5]))
    return build_cluster(size, draw(st.sampled_from(RUNTIMES)), draw(st.integers(0, 2**16)), loss)


events = st.lists(
    st.tuples(
        st.integers(0, 40), st.sampled_from(FAULTS), st.integers(0, 8), st.booleans(), st.booleans()
    ),
    max_size=6,
)


@pytest.fixture(autouse=True)
def _allow_power_cuts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many soon after a start are a danger is a test's own subject."""
    if "power_cuts" not in request.node.name:
        monkeypatch.setattr(restarts, "UNCLEAN_BOOTS", 1000)


@settings(max_examples=max(25, settings().max_examples))
@given(clusters(), events, st.booleans(), st.booleans())
def test_whatever_happens_the_group_comes_back_as_one(
    cluster: SupervisedCluster, faults, loses_a_disk: bool, ends: bool
) -> None:
    cluster.run(5)
    for pause_s, fault, at, _, heals in faults:
        fault(cluster, cluster.nodes[at % len(cluster.nodes)])
        cluster.run(pause_s)
        if heals:
            sim.heal(cluster)
            cluster.run(pause_s)
    if loses_a_disk and len(cluster.members) > 1:
        sim.lose_disk(cluster, cluster.nodes[len(faults) % len(cluster.nodes)])
    sim.heal(cluster)
    if ends:
        cluster.destroy()
        return
    await_serving(cluster, ("serving", "degraded") if loses_a_disk else ("serving",))
    cluster.run(30)
    assert cluster.is_working


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("size", [1, 2, 3])
class TestOneFault:
    def test_a_dead_rank_restarts_the_group_at_once(self, size: int, runtime: str) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        sim.kill_rank(cluster, cluster.members[-1])
        cluster.run(3)
        assert cluster.phase == "recovering"
        took_s = await_serving(cluster)
        assert took_s <= sim.LOAD_S + restarts.SHORTEST_WAIT_S + 10
        assert {node.live.epoch for node in cluster.members if node.live} == {2}

    def test_a_hang_restarts_the_group(self, size: int, runtime: str) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        sim.hang_rank(cluster, cluster.members[-1])
        cluster.run(sim.STALL_S + 3)
        assert cluster.phase == "recovering"
        await_serving(cluster)

    def test_a_supervisor_that_restarts_touches_no_rank(self, size: int, runtime: str) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        for node in cluster.nodes:
            cluster.kill_supervisor(node)
            cluster.run(20)
        cluster.run(20)
        assert cluster.phase == "serving"
        assert cluster.runs == size

    def test_all_nodes_reboot_at_once(self, size: int, runtime: str) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        sim.shut_all_down(cluster, cluster.head)
        sim.heal(cluster)
        await_serving(cluster)
        assert cluster.coordinator.group
        record = cluster.coordinator.group.record
        assert (record.epoch, record.restarts.number) == (2, 0)

    def test_docker_that_stops_is_not_counted(self, size: int, runtime: str) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        sim.stop_docker(cluster, cluster.members[-1])
        cluster.run(30)
        sim.heal(cluster)
        await_serving(cluster)
        assert cluster.coordinator.group
        assert cluster.coordinator.group.record.restarts.number == 0

    def test_docker_that_restarts_under_a_living_rank_changes_nothing(
        self, size: int, runtime: str
    ) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        cluster.members[-1].has_docker = False
        cluster.run(30)
        assert cluster.phase == "degraded"
        sim.heal(cluster)
        cluster.run(5)
        assert (cluster.phase, cluster.runs) == ("serving", size)

    def test_a_full_disk_starts_nothing_and_ends_nothing(self, size: int, runtime: str) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        sim.fill_disk(cluster, cluster.coordinator)
        cluster.run(30)
        assert cluster.is_working
        sim.kill_rank(cluster, cluster.coordinator)
        cluster.run(60)
        assert cluster.runs == size
        sim.heal(cluster)
        await_serving(cluster)

    def test_a_request_restarts_a_group_that_serves(self, size: int, runtime: str) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        sim.ask_for_a_restart(cluster, cluster.head)
        cluster.run(5)
        assert cluster.phase == "recovering"
        await_serving(cluster)

    def test_after_destroy_nothing_comes_back(self, size: int, runtime: str) -> None:
        cluster = build_cluster(size, runtime, 2)
        cluster.run(5)
        sim.kill_rank(cluster, cluster.members[-1])
        cluster.run(15)
        cluster.destroy()


@pytest.mark.parametrize("runtime", RUNTIMES)
class TestSeveralNodes:
    def test_a_node_that_is_cut_off_is_not_restarted_while_the_group_works(
        self, runtime: str
    ) -> None:
        cluster = build_cluster(3, runtime, 2)
        cluster.run(5)
        sim.cut_management(cluster, cluster.members[-1])
        cluster.run(600)
        assert (cluster.phase, cluster.runs) == ("degraded", 3)

    def test_nothing_starts_before_all_have_confirmed(self, runtime: str) -> None:
        cluster = build_cluster(3, runtime, 2)
        cluster.run(5)
        sim.cut_management(cluster, cluster.members[-1])
        sim.kill_rank(cluster, cluster.members[1])
        cluster.run(600)
        assert cluster.phase == "blocked"
        assert cluster.runs == 3
        sim.heal(cluster)
        await_serving(cluster)

    def test_the_worker_alone_reboots(self, runtime: str) -> None:
        cluster = build_cluster(2, runtime, 2)
        cluster.run(5)
        sim.cut_power(cluster, cluster.members[-1])
        cluster.run(60)
        sim.heal(cluster)
        await_serving(cluster)
        assert len(cluster.starts) == 4

    @pytest.mark.parametrize("at", [0, 1])
    def test_a_lost_disk_ends_no_group_that_works(self, runtime: str, at: int) -> None:
        cluster = build_cluster(2, runtime, 2)
        cluster.run(5)
        sim.kill_rank(cluster, cluster.members[1])
        await_serving(cluster)
        sim.lose_disk(cluster, cluster.members[at])
        cluster.run(60)
        assert cluster.is_working
        assert cluster.phase == "degraded"
        sim.kill_rank(cluster, cluster.members[1])
        await_serving(cluster)
        assert max(epoch for _, epoch in cluster.starts) == 3

    @pytest.mark.parametrize("at", [0, 1])
    def test_an_old_disk_never_goes_back(self, runtime: str, at: int) -> None:
        cluster = build_cluster(2, runtime, 2)
        cluster.run(5)
        for _ in range(3):
            sim.kill_rank(cluster, cluster.members[1])
            await_serving(cluster)
        sim.restore_an_old_disk(cluster, cluster.members[at])
        sim.heal(cluster)
        await_serving(cluster)
        assert max(epoch for _, epoch in cluster.starts) == 5


def test_a_rank_that_fails_again_and_again_is_given_up() -> None:
    cluster = build_cluster(2, "container", 2, max_restarts=4)
    cluster.run(5)
    for _ in range(6):
        sim.kill_rank(cluster, cluster.members[1])
        cluster.run(5)
        for _ in range(500):
            cluster.step()
            if cluster.phase in ("serving", "gave-up"):
                break
    assert cluster.phase == "gave-up"
    cluster.run(600)
    assert not any(node.live for node in cluster.members)
    assert cluster.runs == 2 * 5
    sim.ask_for_a_restart(cluster, cluster.head)
    await_serving(cluster)


def test_who_was_given_up_stays_so_over_a_reboot() -> None:
    cluster = build_cluster(2, "container", 2, max_restarts=0)
    cluster.run(5)
    sim.kill_rank(cluster, cluster.members[1])
    cluster.run(60)
    assert cluster.phase == "gave-up"
    sim.shut_all_down(cluster, cluster.head)
    cluster.run(30)
    sim.heal(cluster)
    cluster.run(600)
    assert cluster.phase == "gave-up"
    assert not any(node.live for node in cluster.members)
    sim.ask_for_a_restart(cluster, cluster.head)
    await_serving(cluster)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_hour_without_docker_and_ten_minutes_without_a_network_cost_no_try(
    runtime: str,
) -> None:
    cluster = build_cluster(2, runtime, 2, max_restarts=1)
    cluster.run(5)
    sim.stop_docker(cluster, cluster.members[1])
    cluster.run(3600)
    sim.heal(cluster)
    await_serving(cluster)
    sim.shut_all_down(cluster, cluster.head)
    sim.heal(cluster)
    for node in cluster.nodes:
        sim.cut_management(cluster, node)
    cluster.run(600)
    assert cluster.phase == "blocked"
    sim.heal(cluster)
    await_serving(cluster)
    assert cluster.coordinator.group
    assert cluster.coordinator.group.record.restarts.number == 0


def test_what_a_node_lacks_again_and_again_is_no_failure_and_no_storm() -> None:
    cluster = build_cluster(2, "container", 2, max_restarts=1)
    cluster.run(5)
    took_s = []
    for _ in range(6):
        sim.stop_docker(cluster, cluster.members[1])
        cluster.run(5)
        sim.heal(cluster)
        took_s.append(await_serving(cluster))
    assert cluster.coordinator.group
    assert cluster.coordinator.group.record.restarts.number == 0
    assert took_s[0] < restarts.SHORTEST_WAIT_S + sim.LOAD_S + 10
    assert took_s[5] > restarts.LONGEST_WAIT_S
    cluster.run(7200)
    sim.stop_docker(cluster, cluster.members[1])
    cluster.run(5)
    sim.heal(cluster)
    assert await_serving(cluster) < restarts.SHORTEST_WAIT_S + sim.LOAD_S + 10


def test_ranks_that_docker_starts_by_itself_after_a_boot_are_ended() -> None:
    """Somebody gave the containers a restart policy."""
    cluster = build_cluster(3, "container", 2)
    cluster.run(5)
    sim.shut_all_down(cluster, cluster.head)
    sim.heal(cluster)
    for node in cluster.members:
        node.live = sim.LiveRank(1, f"{node.name}-by-docker", cluster.now_s)
    cluster.run(10)
    await_serving(cluster)
    runs = [node.live.run_id for node in cluster.members if node.live]
    assert not any("by-docker" in run for run in runs)


def test_a_rank_that_cannot_be_started_is_given_up_with_its_reason() -> None:
    cluster = build_cluster(2, "container", 2, max_restarts=4)
    cluster.run(5)
    cluster.members[1].start_error = "bind source path does not exist: /models"
    sim.kill_rank(cluster, cluster.members[1])
    cluster.run(1200)
    assert cluster.phase == "gave-up"
    assert cluster.coordinator.group
    assert "bind source path" in cluster.coordinator.group.record.reason
    assert cluster.runs == 2


def test_two_power_cuts_soon_after_a_start_are_a_danger_to_the_node() -> None:
    cluster = build_cluster(2, "native", 2)
    cluster.run(5)
    for _ in range(2):
        sim.cut_power(cluster, cluster.members[1])
        sim.heal(cluster)
        cluster.run(60)
    assert cluster.phase == "gave-up"


def test_power_cuts_of_a_service_that_has_served_are_not() -> None:
    cluster = build_cluster(2, "native", 2)
    for _ in range(4):
        cluster.run(restarts.SETTLED_S + 60)
        sim.cut_power(cluster, cluster.members[1])
        sim.heal(cluster)
    await_serving(cluster)


def test_a_container_that_is_gone_needs_an_up() -> None:
    cluster = build_cluster(2, "container", 2)
    cluster.run(5)
    cluster.members[1].is_present = False
    sim.kill_rank(cluster, cluster.members[1])
    cluster.run(60)
    assert cluster.phase == "needs-up"
    assert not any(node.live for node in cluster.members)
    assert cluster.runs == 2


def test_without_a_policy_nothing_is_touched() -> None:
    cluster = build_cluster(2, "container", 2)
    cluster.target = replace(cluster.target, policy="none")
    cluster.run(5)
    sim.kill_rank(cluster, cluster.members[1])
    cluster.run(60)
    assert (cluster.phase, cluster.runs) == ("stopped", 2)
    assert cluster.members[0].live


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_pause_ends_all_ranks_over_reboots_until_a_restart_is_asked_for(runtime: str) -> None:
    cluster = build_cluster(3, runtime, 7, 0.2)
    await_serving(cluster)
    sim.ask_for_a_pause(cluster)
    cluster.run(120)
    assert cluster.phase == "paused"
    assert [node.name for node in cluster.members if node.live] == []
    for node in cluster.nodes:
        sim.shut_down(cluster, node)
        cluster.run(30)
        sim.heal(cluster)
        cluster.run(60)
        assert cluster.phase == "paused"
        assert [member.name for member in cluster.members if member.live] == []
    sim.ask_for_a_restart(cluster, cluster.nodes[0])
    await_serving(cluster)


def test_a_rank_started_by_another_hand_is_ended() -> None:
    cluster = build_cluster(2, "container", 2)
    cluster.run(5)
    sim.kill_rank(cluster, cluster.members[1])
    cluster.run(4)
    cluster.members[1].live = sim.LiveRank(2, "by-hand", cluster.now_s)
    await_serving(cluster)
    assert [node.live and node.live.run_id for node in cluster.members].count("by-hand") == 0


class TestPlantedViolations:
    """The checker finds what it is there for."""

    def test_two_epochs_alive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Situation, "find_unconfirmed", lambda situation: None)
        cluster = build_cluster(3, "container", 2)
        cluster.run(5)
        sim.cut_management(cluster, cluster.members[1])
        sim.kill_rank(cluster, cluster.members[2])
        with pytest.raises(InvariantBroken, match="two epochs"):
            cluster.run(60)

    def test_a_rank_that_starts_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def start_again(situation: MemberSituation) -> MemberStep:
            run = RecordedRun(situation.record.epoch, None, situation.now)
            return MemberStep(replace(situation.record, run=run), "starting", "start")

        monkeypatch.setattr(member, "_obey_run", start_again)
        cluster = build_cluster(1, "container", 2)
        cluster.run(5)
        sim.kill_rank(cluster, cluster.members[0])
        with pytest.raises(InvariantBroken, match="started twice"):
            cluster.run(5)

    def test_a_restart_under_load(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def restart(situation: Situation):
            return coordinator._restart(situation, "silent", True)

        cluster = build_cluster(2, "container", 2)
        cluster.run(5)
        monkeypatch.setattr(
            coordinator,
            "_find_ended",
            lambda situation: restart(situation) if situation.view.silent else None,
        )
        sim.cut_management(cluster, cluster.members[1])
        with pytest.raises(InvariantBroken, match="a group that works"):
            cluster.run(60)

    def test_a_service_that_does_not_come_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(restarts, "is_over", lambda moment, now: False)
        cluster = build_cluster(2, "container", 2)
        cluster.run(5)
        sim.kill_rank(cluster, cluster.members[1])
        cluster.run(5)
        with pytest.raises(InvariantBroken, match="serves not again"):
            await_serving(cluster)

    def test_a_rank_alive_after_destroy(self) -> None:
        cluster = build_cluster(2, "container", 2)
        cluster.run(5)
        sim.kill_rank(cluster, cluster.members[1])
        cluster.run(13)
        with pytest.raises(InvariantBroken, match="alive after destroy"):
            cluster.destroy(supervisors_first=False)
