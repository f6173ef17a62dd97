"""A changed service whose new launch fails: the launch that served before is started again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from node.host.paths import KEPT_LAUNCHES, SERVICES
from node.host.typed_json import to_fields
from node.ranks import units
from node.ranks.supervisors import get_boot_link, get_supervisor_unit
from node.rollback.kept_launch import KeptLaunch, read_kept
from node.rollback.restoring import restore_previous
from node.steps import StepRequest, stop_previous
from node.supervision.moment import Moment
from node.supervision.paths import get_request_path
from node.supervision.report import LiveFigures, LiveState, write_live
from node.supervision.state import Phase
from node.verbs import clear, undo
from tests.support.fake_ranks import FakeRanks, add_ranks, build_labels
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.fake_system import Killed
from tests.support.node_steps import (
    SparkMaker,
    build_document,
    run_apply,
    take_snapshot,
    undo_all,
)
from tests.unit.node.steps.test_supervise import TARGET

pytestmark = pytest.mark.usefixtures("patience")

OLD, NEW = "old-1", "new-2"
NAME, UNIT = "sparkform-qwen-0", get_supervisor_unit("qwen")
CAUSE = "rank 0 on spark-1: the engine is out of memory [out-of-memory]"
FOLDER = f"{SERVICES}/qwen"
KEPT_FILE, GONE_FILE, NEW_FILE = (f"{FOLDER}/files/{name}" for name in ("start", "gone", "added"))
SECRET = f"{FOLDER}/secrets/api-key"
LAUNCH = {"image": "vllm:today", "argv": ["serve", "--max-model-len", "4096"]}


def build_files(text: str, *further: str, key: str = "apiKey") -> dict[str, Any]:
    texts = {KEPT_FILE: text, **dict.fromkeys(further, "more")}
    files = [{"path": path, "mode": "0555", "text": text} for path, text in texts.items()]
    secrets = [{"secret": key, "path": SECRET, "mode": "0400"}]
    return {"service": "qwen", "files": files, "secrets": secrets}


def write_files(fake_ranks: FakeRanks, want: dict[str, Any], key: str) -> None:
    run_apply(fake_ranks.spark.system, "launch_files:qwen", want, json.dumps({"apiKey": key}))


def build_stop_want(token: str, **fields: Any) -> dict[str, Any]:
    want = {"service": "qwen", "token": token, "rank": 0, "ports": [], "launch": LAUNCH}
    return {**want, **fields}


def stop(fake_ranks: FakeRanks, token: str, **fields: Any) -> None:
    """As the step's creation does it."""
    clear.main(fake_ranks.spark.system, ["qwen"], "")
    run_apply(fake_ranks.spark.system, "stop_previous:qwen", build_stop_want(token, **fields))


def start_container(fake_ranks: FakeRanks, token: str, state: str = "running") -> None:
    fake_ranks.add_container(f"id-{token}", state, token=token)
    fake_ranks.containers[f"id-{token}"]["Names"] = [f"/{NAME}"]


def supervise(fake_ranks: FakeRanks, token: str = OLD, phase: Phase = "serving") -> None:
    want = {"service": "qwen", "token": token, "supervised": "as wanted"}
    target = to_fields(replace(TARGET, token=token))
    key = json.dumps({"supervision_key": "5ec7e7"})
    run_apply(fake_ranks.spark.system, "supervise:qwen", {**want, "target": target}, key)
    live = LiveState(token, Moment("boot-1", 1.0), phase, 1.0, "", LiveFigures())
    write_live(fake_ranks.spark.system, "qwen", live)


def serve(spark: FakeSpark) -> FakeRanks:
    """A service of one rank that serves under OLD."""
    claim_node(spark)
    fake_ranks = add_ranks(spark)
    write_files(fake_ranks, build_files("old", GONE_FILE), "old key")
    stop(fake_ranks, OLD)
    start_container(fake_ranks, OLD)
    supervise(fake_ranks)
    return fake_ranks


@pytest.fixture
def fake_ranks(spark: FakeSpark) -> FakeRanks:
    return serve(spark)


def change_launch(fake_ranks: FakeRanks, token: str = NEW, **fields: Any) -> None:
    """As `up` does it for a changed launch, up to its failure."""
    write_files(fake_ranks, build_files("new", NEW_FILE), "new key")
    stop(fake_ranks, token, **{"launch": {"image": "vllm:new"}, **fields})
    start_container(fake_ranks, token, "exited")


def restore(fake_ranks: FakeRanks, token: str = NEW) -> object:
    return restore_previous(fake_ranks.spark.system, "qwen", token, f"service qwen: {CAUSE}")


def read_required(fake_ranks: FakeRanks) -> KeptLaunch:
    kept_launch = read_kept(fake_ranks.spark.system, "qwen")
    assert kept_launch is not None
    return kept_launch


def list_tokens(fake_ranks: FakeRanks) -> dict[str, str]:
    """State by token, of the containers."""
    return {
        container["Labels"]["sparkform.token"]: container["State"]
        for container in fake_ranks.containers.values()
    }


def test_the_launch_that_served_is_made_again_and_left_to_its_supervisor(
    fake_ranks: FakeRanks,
) -> None:
    system = fake_ranks.spark.system
    change_launch(fake_ranks)
    assert UNIT not in fake_ranks.units, "who starts ranks ends before they do"
    assert restore(fake_ranks) is not None
    (container,) = fake_ranks.containers.values()
    assert container["Names"] == [f"/{NAME}"]
    assert list_tokens(fake_ranks) == {OLD: "created"}, "the supervisors start it, all or none"
    assert container["Body"] == {
        "Labels": build_labels(token=OLD),
        "Image": f"sha256:id-{OLD}",
        "Cmd": ["serve"],
        "HostConfig": {"Runtime": "nvidia", "NetworkMode": "host"},
    }
    assert fake_ranks.units[UNIT] == "active"
    assert system.read_link(get_boot_link("qwen")) is not None
    assert system.get_state(get_request_path("qwen")) is not None


def test_its_files_and_secrets_come_back_with_it(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system
    change_launch(fake_ranks)
    assert (system.read(KEPT_FILE), system.read(GONE_FILE)) == ("new", None)
    restore(fake_ranks)
    texts = [system.read(path) for path in (KEPT_FILE, GONE_FILE, NEW_FILE, SECRET)]
    assert texts == ["old", "more", None, "old key"]
    modes = [system.get_state(path) for path in (KEPT_FILE, SECRET)]
    assert [state.mode if state else None for state in modes] == [0o555, 0o400]


def test_a_file_that_was_only_put_right_comes_back_as_it_was_declared(
    fake_ranks: FakeRanks,
) -> None:
    system = fake_ranks.spark.system
    system.put(KEPT_FILE, "edited by hand")
    write_files(fake_ranks, build_files("old", GONE_FILE), "old key")
    assert read_kept(system, "qwen") is None, "the launch is the same"
    system.put(KEPT_FILE, "edited by hand")
    change_launch(fake_ranks)
    restore(fake_ranks)
    assert system.read(KEPT_FILE) == "old"


def test_what_is_kept_is_roots_alone(fake_ranks: FakeRanks) -> None:
    change_launch(fake_ranks)
    folder = fake_ranks.spark.system.path(KEPT_LAUNCHES)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_a_unit_is_marked_again_with_its_own_run(spark: FakeSpark) -> None:
    claim_node(spark)
    fake_ranks, system = add_ranks(spark), spark.system
    stop(fake_ranks, OLD)
    units.mark_unit(system, "qwen", "sparkform-qwen.service", build_labels(token=OLD))
    fake_ranks.units["sparkform-qwen.service"] = "active"
    supervise(fake_ranks)
    stop(fake_ranks, NEW)
    assert units.list_units(system) == []
    restore(fake_ranks)
    (unit,) = units.list_units(system)
    assert (unit.token, unit.name, unit.rank) == (OLD, "sparkform-qwen.service", 0)
    assert unit.labels.owner == "spark/demo"


@pytest.mark.parametrize("phase", ["starting", "recovering", "gave-up", "blocked"])
def test_a_launch_that_does_not_serve_is_not_kept(fake_ranks: FakeRanks, phase: Phase) -> None:
    supervise(fake_ranks, phase=phase)
    change_launch(fake_ranks)
    assert read_kept(fake_ranks.spark.system, "qwen") is None
    assert restore(fake_ranks) is None


def test_a_swarms_rank_is_not_kept(fake_ranks: FakeRanks) -> None:
    labels = fake_ranks.containers[f"id-{OLD}"]["Labels"]
    labels["com.docker.swarm.service.id"] = "s"
    change_launch(fake_ranks)
    assert read_kept(fake_ranks.spark.system, "qwen") is None


def test_with_stay_nothing_is_kept(fake_ranks: FakeRanks) -> None:
    change_launch(fake_ranks, on_failure="stay")
    assert restore(fake_ranks) is None
    assert fake_ranks.spark.system.get_state(KEPT_LAUNCHES) is None


def test_a_second_change_goes_back_to_what_served(fake_ranks: FakeRanks) -> None:
    """The first one was interrupted, or failed too: neither its files nor its rank ever served."""
    change_launch(fake_ranks)
    write_files(fake_ranks, build_files("newer"), "newer key")
    stop(fake_ranks, "newer-3")
    start_container(fake_ranks, "newer-3", "exited")
    restore(fake_ranks, "newer-3")
    system = fake_ranks.spark.system
    assert list_tokens(fake_ranks) == {OLD: "created"}
    assert [system.read(path) for path in (KEPT_FILE, GONE_FILE, NEW_FILE, SECRET)] == [
        *("old", "more", None, "old key")
    ]


def test_what_failed_is_told_until_the_next_change(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system
    change_launch(fake_ranks)
    assert stop_previous.observe(system, StepRequest(service="qwen")).restored is None
    restore(fake_ranks)
    restored = stop_previous.observe(system, StepRequest(service="qwen")).restored
    assert restored == stop_previous.RestoredLaunch(OLD, CAUSE, LAUNCH)
    next(iter(fake_ranks.containers.values()))["State"] = "running"
    change_launch(fake_ranks, "newer-3")
    assert stop_previous.observe(system, StepRequest(service="qwen")).restored is None
    restore(fake_ranks, "newer-3")
    again = stop_previous.observe(system, StepRequest(service="qwen")).restored
    assert again == restored, "the launch that served is told, not the one that failed"


@pytest.mark.parametrize("obstacle", ["same launch", "newer run", "other supervision"])
def test_nothing_is_started_beside_another_run(fake_ranks: FakeRanks, obstacle: str) -> None:
    system = fake_ranks.spark.system
    change_launch(fake_ranks)
    token = "old-2" if obstacle == "same launch" else NEW
    if obstacle == "newer run":
        stop(fake_ranks, "newer-3")
    if obstacle == "other supervision":
        supervise(fake_ranks, "newer-3")
    before = list_tokens(fake_ranks)
    assert restore(fake_ranks, token) is None
    assert list_tokens(fake_ranks) == before
    assert system.get_state(get_request_path("qwen")) is None


def test_a_full_disk_holds_no_change_up(fake_ranks: FakeRanks, monkeypatch: Any) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("node.rollback.keeping.write_kept", fail)
    lines = clear.main(fake_ranks.spark.system, ["qwen"], "")
    assert lines[0].startswith("service qwen: its present launch is not kept: ")
    assert fake_ranks.containers == {}


def test_the_deletion_of_the_old_run_leaves_what_serves_again(fake_ranks: FakeRanks) -> None:
    """Pulumi deletes what a failed run has replaced at the next one, whenever that is."""
    system, step = fake_ranks.spark.system, "stop_previous:qwen"
    change_launch(fake_ranks)
    old_document = build_document(step, build_stop_want(OLD))
    restore(fake_ranks)
    assert undo.main(system, [step], old_document) == [
        "stop_previous:qwen: that run serves again, as a newer one has failed; kept"
    ]
    assert list_tokens(fake_ranks) == {OLD: "created"}
    start_container(fake_ranks, "third-3")
    undo.main(system, [step], build_document(step, build_stop_want("third-3")))
    assert list_tokens(fake_ranks) == {OLD: "created"}, "another run's are still removed"


def test_destroy_leaves_nothing_of_it(make_spark: SparkMaker) -> None:
    untouched = make_spark()
    claim_node(untouched)
    add_ranks(untouched)
    undo_all(untouched.system)
    spark = make_spark()
    fake_ranks = serve(spark)
    change_launch(fake_ranks)
    restore(fake_ranks)
    undo_all(spark.system)
    assert take_snapshot(spark) == take_snapshot(untouched)


def test_a_kill_at_any_point_leaves_nothing_that_the_next_run_does_not_end(
    make_spark: SparkMaker,
) -> None:
    death_effect = 1
    while True:
        fake_ranks = serve(make_spark())
        script = fake_ranks.spark.system.script
        script.effects, script.die_at = 0, death_effect
        try:
            change_launch(fake_ranks)
            restore(fake_ranks)
        except Killed:
            pass
        survived = script.effects < death_effect
        script.die_at = None
        tokens = [token for token, state in list_tokens(fake_ranks).items() if state == "running"]
        assert tokens in ([], [OLD]), "no rank of the new launch runs beside another"
        change_launch(fake_ranks, "newer-3")
        assert list_tokens(fake_ranks) == {"newer-3": "exited"}
        restore(fake_ranks, "newer-3")
        if OLD in list_tokens(fake_ranks):
            system = fake_ranks.spark.system
            texts = [system.read(path) for path in (KEPT_FILE, GONE_FILE, NEW_FILE, SECRET)]
            assert texts == ["old", "more", None, "old key"], death_effect
        if survived:
            return
        death_effect += 1
