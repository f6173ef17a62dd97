from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from node.docker import membership
from node.errors import StepError
from node.host import docker_api
from node.host.system import System
from node.steps import StepRequest, swarm, swarm_labels, swarm_token
from tests.support.fake_spark import FakeSpark, build_spark, claim_node
from tests.support.fake_swarm import FakeCluster, FakeMember, add_member
from tests.support.node_steps import list_differences, read_have, run_apply, undo_all

HEAD = swarm.build_head_want("10.0.0.1", "10.201.0.0/16", take_over=False)
WORKER = swarm.build_worker_want("10.0.0.2", "10.0.0.1", take_over=False)
SPARK_1 = {"spark-1": {"sparkform.node": "spark-1"}}
SPARK_2 = {"spark-2": {"sparkform.node": "spark-2"}}
LABELS = swarm_labels.Want(nodes={**SPARK_1, **SPARK_2}, away=(), members={})
Pair = tuple[FakeMember, FakeMember]


@pytest.fixture
def pair(tmp_path) -> Pair:
    cluster = FakeCluster()

    def build_member(number: int) -> FakeMember:
        spark = build_spark(tmp_path / str(number))
        claim_node(spark)
        return add_member(spark, cluster, f"spark-{number}", f"10.0.0.{number}")

    return build_member(1), build_member(2)


def read_join_secret(head: FakeMember) -> str:
    return run_apply(head.spark.system, "swarm_token", {"cluster": None})[0]


@pytest.fixture
def formed(pair: Pair) -> Pair:
    head, worker = pair
    run_apply(head.spark.system, "swarm", HEAD)
    run_apply(worker.spark.system, "swarm", WORKER, read_join_secret(head))
    return pair


def describe_differences(step: Any, spark: FakeSpark, want: object) -> list[str]:
    return list_differences(step.SPEC, spark.system, want)


def test_a_rack_without_a_swarm_is_told_what_will_be(pair: Pair) -> None:
    head, worker = pair
    assert describe_differences(swarm, head.spark, HEAD) == [
        "in no Swarm, will start one at 10.0.0.1"
    ]
    assert describe_differences(swarm, worker.spark, WORKER) == [
        "in no Swarm, will join the one of 10.0.0.1:2377"
    ]


def test_head_and_worker_end_in_one_swarm_with_our_address_pool(formed: Pair) -> None:
    head, worker = formed
    assert (head.manager, head.pool, worker.manager) == (True, "10.201.0.0/16", False)
    assert worker.cluster == head.cluster
    assert describe_differences(swarm, head.spark, HEAD) == []
    assert describe_differences(swarm, worker.spark, WORKER) == []


def test_the_token_is_in_a_requests_body_and_in_no_argv_or_file(formed: Pair) -> None:
    head, worker = formed
    token = json.loads(read_join_secret(head))["join_token"]
    assert worker.join_requests[0]["JoinToken"] == token
    for node in formed:
        assert token not in json.dumps(node.spark.system.script.calls)
        files = [path for path in node.spark.system.root.rglob("*") if path.is_file()]
        assert files
        assert all(token.encode() not in path.read_bytes() for path in files)


def test_the_token_step_prints_the_same_as_long_as_the_swarm_is_the_same(formed: Pair) -> None:
    head, _ = formed
    assert read_join_secret(head) == read_join_secret(head)
    want = swarm_token.Want(head.cluster)
    assert describe_differences(swarm_token, head.spark, want) == []
    other_want = swarm_token.Want("another")
    assert describe_differences(swarm_token, head.spark, other_want) == [
        f"cluster is {head.cluster}, will be another"
    ]


def test_a_worker_has_no_token_to_give(formed: Pair) -> None:
    with pytest.raises(StepError, match="no manager of a Swarm"):
        run_apply(formed[1].spark.system, "swarm_token", {"cluster": None})


def test_a_worker_without_a_token_is_refused(pair: Pair) -> None:
    with pytest.raises(StepError, match="join token is missing"):
        run_apply(pair[1].spark.system, "swarm", WORKER)


def test_a_worker_that_left_is_joined_again(formed: Pair) -> None:
    head, worker = formed
    worker.leave(None)
    assert describe_differences(swarm, worker.spark, WORKER) == [
        "in no Swarm, will join the one of 10.0.0.1:2377"
    ]
    run_apply(worker.spark.system, "swarm", WORKER, read_join_secret(head), run=2)
    assert worker.cluster == head.cluster


def test_a_node_in_another_swarm_is_refused_with_its_id(pair: Pair) -> None:
    _, worker = pair
    worker.init({"AdvertiseAddr": "10.0.0.2", "DefaultAddrPool": ["10.0.0.0/8"]})
    assert describe_differences(swarm, worker.spark, WORKER) == [
        f"in Swarm {worker.cluster}, which is not ours: refused without swarm.takeOver"
    ]
    with pytest.raises(StepError, match=f"is in Swarm {worker.cluster}, which is not ours"):
        run_apply(worker.spark.system, "swarm", WORKER, '{"join_token": "a-b-c"}')


def test_with_leave_to_take_over_it_leaves_the_other_and_undo_says_what_is_lost(pair: Pair) -> None:
    head, worker = pair
    run_apply(head.spark.system, "swarm", HEAD)
    worker.init({"AdvertiseAddr": "10.0.0.2", "DefaultAddrPool": ["10.0.0.0/8"]})
    other_cluster = worker.cluster
    want = replace(WORKER, take_over=True)
    messages = run_apply(worker.spark.system, "swarm", want, read_join_secret(head))
    assert messages == [f"left Swarm {other_cluster}", "worker at 10.0.0.2"]
    warning = f"Swarm {other_cluster}, which this node was in before, cannot be rejoined from here"
    assert warning in undo_all(worker.spark.system)
    assert worker.cluster is None


def test_a_head_that_was_made_anew_gets_its_worker_back(formed: Pair) -> None:
    """The same address, another cluster: only the cluster's id tells."""
    head, worker = formed
    head.leave(None)
    run_apply(head.spark.system, "swarm", HEAD, run=2)
    observed = swarm.observe(worker.spark.system, StepRequest())
    compared = swarm.add_head_cluster(observed, head.cluster)
    assert swarm.compare(swarm.narrow(compared, WORKER), WORKER) != []
    run_apply(worker.spark.system, "swarm", WORKER, read_join_secret(head), run=2)
    assert worker.cluster == head.cluster


def test_the_head_changes_places_with_its_worker(formed: Pair) -> None:
    first, second = formed
    head = swarm.build_head_want("10.0.0.2", "10.201.0.0/16", take_over=False)
    worker = swarm.build_worker_want("10.0.0.1", "10.0.0.2", take_over=False)
    assert describe_differences(swarm, second.spark, head) == [
        "in the Swarm of 10.0.0.1:2377, will leave it and start one at 10.0.0.2"
    ]
    assert describe_differences(swarm, first.spark, worker) == [
        "head of the Swarm at 10.0.0.1, will leave it and join the one of 10.0.0.2:2377"
    ]
    run_apply(second.spark.system, "swarm", head, run=2)
    run_apply(first.spark.system, "swarm", worker, read_join_secret(second), run=2)
    assert (first.manager, second.manager) == (False, True)
    assert first.cluster == second.cluster


def test_undo_waits_for_a_dockerd_that_starts_without_its_manager(
    formed: Pair, patience: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, worker = formed
    get = docker_api.get

    def get_late(system: System, path: str) -> object:
        return get(system, path) if sum(patience) > 20 else None

    monkeypatch.setattr(membership, "get", get_late)
    assert "left the Swarm" in undo_all(worker.spark.system)


def test_undo_says_that_dockerd_is_gone(
    formed: Pair, patience: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "get", lambda system, path: None)
    with pytest.raises(StepError, match="dockerd does not answer"):
        undo_all(formed[1].spark.system)
    assert sum(patience) >= membership.ANSWER_S


def test_undo_leaves_a_swarm_only_when_its_networks_are_made(formed: Pair, patience) -> None:
    """dockerd has just started: it would make the bridge anew after we removed it."""
    head, _ = formed
    patience.append(60)  # long after the join
    head.unmade = 5
    undo_all(head.spark.system)
    assert head.left_unmade == 0
    assert (head.cluster, head.networks) == (None, ["bridge", "host", "none"])


def test_undo_removes_a_bridge_that_is_still_in_use_for_a_moment(formed: Pair, patience) -> None:
    head, _ = formed
    head.in_use = 5
    assert "network docker_gwbridge: removed" in undo_all(head.spark.system)
    assert head.networks == ["bridge", "host", "none"]


def test_undo_names_a_bridge_that_stays_in_use(formed: Pair, patience) -> None:
    head, _ = formed
    head.in_use = 1000
    message = "network docker_gwbridge: kept, Docker refuses: network docker_gwbridge has active"
    assert any(line.startswith(message) for line in undo_all(head.spark.system))


def test_live_restore_is_left_alone_and_named(pair: Pair) -> None:
    pair[0].live_restore = True
    with pytest.raises(StepError, match="live-restore"):
        run_apply(pair[0].spark.system, "swarm", HEAD)
    assert pair[0].cluster is None


def test_undo_leaves_a_swarm_that_others_joined_alone(formed: Pair) -> None:
    _, worker = formed
    worker.leave(None)
    worker.init({"AdvertiseAddr": "10.0.0.2", "DefaultAddrPool": ["10.0.0.0/8"]})
    other_cluster = worker.cluster
    messages = undo_all(worker.spark.system)
    assert f"Swarm {other_cluster}: kept: joined by others" in messages
    assert worker.cluster == other_cluster


def test_labels_are_set_and_others_labels_stay(formed: Pair) -> None:
    head, _ = formed
    nodes = head.registry.nodes[str(head.cluster)]
    nodes[1]["Spec"]["Labels"] = {"rack": "left"}
    assert describe_differences(swarm_labels, head.spark, LABELS) == [
        "label sparkform.node of spark-1 is unset, will be spark-1",
        "label sparkform.node of spark-2 is unset, will be spark-2",
    ]
    run_apply(head.spark.system, "swarm_labels", LABELS)
    assert nodes[1]["Spec"]["Labels"] == {"rack": "left", "sparkform.node": "spark-2"}
    assert describe_differences(swarm_labels, head.spark, LABELS) == []


def test_a_node_that_joined_anew_is_labelled_and_its_old_entry_goes(formed: Pair) -> None:
    head, worker = formed
    run_apply(head.spark.system, "swarm_labels", LABELS)
    worker.leave(None)
    run_apply(worker.spark.system, "swarm", WORKER, read_join_secret(head), run=2)
    run_apply(head.spark.system, "swarm_labels", LABELS, run=2)
    nodes = head.registry.nodes[str(head.cluster)]
    assert [node["Description"]["Hostname"] for node in nodes] == ["spark-1", "spark-2"]
    assert nodes[1]["Status"]["State"] == "ready"


def test_a_node_that_is_wanted_no_longer_is_drained_and_removed(formed: Pair) -> None:
    head, _ = formed
    run_apply(head.spark.system, "swarm_labels", LABELS)
    alone = replace(LABELS, nodes=SPARK_1)
    assert describe_differences(swarm_labels, head.spark, alone) == [
        "spark-2 is in the Swarm, will be removed from it"
    ]
    have = read_have(swarm_labels.SPEC, head.spark.system, alone)
    assert swarm_labels.get_disturbance(have, alone) == "docker"
    run_apply(head.spark.system, "swarm_labels", alone, run=2)
    assert len(head.registry.nodes[str(head.cluster)]) == 1


def test_a_node_that_is_away_is_neither_asked_for_nor_removed(formed: Pair) -> None:
    head, worker = formed
    run_apply(head.spark.system, "swarm_labels", LABELS)
    worker.leave(None)
    away = replace(LABELS, nodes=SPARK_1, away=("spark-2",))
    assert describe_differences(swarm_labels, head.spark, away) == []
    run_apply(head.spark.system, "swarm_labels", away, run=2)
    assert len(head.registry.nodes[str(head.cluster)]) == 2


def test_a_node_that_somebody_else_added_is_not_ours_to_remove(formed: Pair) -> None:
    head, _ = formed
    head.registry.add(str(head.cluster), "laptop")
    run_apply(head.spark.system, "swarm_labels", LABELS)
    assert describe_differences(swarm_labels, head.spark, LABELS) == []
    assert len(head.registry.nodes[str(head.cluster)]) == 3


def test_a_node_that_is_missing_is_named(formed: Pair, patience) -> None:
    head, worker = formed
    worker.leave(None)
    with pytest.raises(StepError, match="Not in the Swarm, or down: spark-2"):
        run_apply(head.spark.system, "swarm_labels", LABELS)


def test_undoing_the_labels_alone_puts_them_back(formed: Pair) -> None:
    from node.verbs import undo
    from tests.support.node_steps import format_owner

    head, _ = formed
    run_apply(head.spark.system, "swarm_labels", LABELS)
    owner = json.dumps({"owner": format_owner("swarm_labels")})
    undo.main(head.spark.system, ["swarm_labels"], owner)
    labels = [node["Spec"]["Labels"] for node in head.registry.nodes[str(head.cluster)]]
    assert labels == [{}, {}]


def test_the_fake_swarm_refuses_what_it_does_not_know(pair: Pair) -> None:
    """The control of the tests above: an unknown request is an error, not an empty answer."""
    ask: Callable[..., object] = pair[0].spark.system.request
    with pytest.raises(AssertionError, match="does not know"):
        ask("/run/docker.sock", "POST", "/swarm/unknown")
