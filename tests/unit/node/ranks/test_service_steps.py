"""The steps of a service on a node: what they stop, keep, write and undo."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from node.errors import StepError
from node.host.paths import SERVICES
from node.host.typed_json import to_fields
from node.ranks import stopping
from node.state import document
from node.steps import StepRequest, is_same, launch_files, launch_peers, stop_previous
from node.verbs import apply, clear, undo
from tests.support.fake_ranks import MADE_S, SSH, FakeRanks, add_ranks
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.node_steps import build_document as document_of
from tests.support.node_steps import (
    format_owner,
    list_differences,
    read_have,
    run_apply,
    run_lives,
    take_snapshot,
    undo_all,
)

pytestmark = pytest.mark.usefixtures("patience")

QWEN = StepRequest(service="qwen")
PORT = {"number": 8000, "address": "0.0.0.0", "purpose": "API"}
KEY = "sk-not-a-real-key"
START, SECRET = f"{SERVICES}/qwen/files/start", f"{SERVICES}/qwen/secrets/api-key"
FILES = {
    "service": "qwen",
    "files": [{"path": START, "mode": "0555", "text": "#!/bin/sh\n"}],
    "secrets": [{"secret": "apiKey", "path": SECRET, "mode": "0400"}],
}
CLIENT, KNOWN = f"{SERVICES}/qwen/keys/client_key", f"{SERVICES}/qwen/keys/known_hosts"
KEYS = {"service": "qwen", "path": CLIENT, "mode": "0600"}
PEERS = {
    "service": "qwen",
    "path": KNOWN,
    "mode": "0644",
    "kind": "known_hosts",
    "hosts": {"[10.0.0.12]:2233": "spark-2"},
}
MEMBER = {
    "service": "qwen",
    "token": "today-1",
    "rank": 0,
    "owner": "spark/demo",
    "unit": "sparkform-qwen.service",
}


def build_stop_want(token: str = "today-1", rank: int | None = 0) -> dict[str, Any]:
    return {"service": "qwen", "token": token, "rank": rank, "ports": [PORT], "launch": None}


@pytest.fixture
def fake_ranks(spark: FakeSpark) -> FakeRanks:
    claim_node(spark)
    return add_ranks(spark)


def take_stop_previous(fake_ranks: FakeRanks, **want: Any) -> list[str]:
    return run_apply(fake_ranks.spark.system, "stop_previous:qwen", build_stop_want(**want))


def get_mode(fake_ranks: FakeRanks, path: str) -> int | None:
    state = fake_ranks.spark.system.get_state(path)
    return state.mode if state else None


def undo_stop_previous(fake_ranks: FakeRanks, token: str) -> list[str]:
    text = json.dumps({"owner": format_owner("stop_previous:qwen"), "want": build_stop_want(token)})
    return undo.main(fake_ranks.spark.system, ["stop_previous:qwen"], text)


def test_a_stop_ends_every_rank_of_older_runs_and_says_which(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_container("old", token="gone-7")
    fake_ranks.add_service("older", token="gone-3")
    messages = take_stop_previous(fake_ranks)
    assert messages == [
        "service older: removed",
        "container old: removed",
        "secret older-secrets: removed",
        "config older-configs: removed",
    ]
    assert fake_ranks.read_state() == [{}, {}, {"secrets": {}, "configs": {}}, {}]
    assert fake_ranks.stopped == ["old"]


def test_a_stop_gives_back_the_shared_memory_of_the_ranks_that_it_ends(
    fake_ranks: FakeRanks,
) -> None:
    written = {"nccl-aB3dEf": MADE_S + 9, "nccl-before": MADE_S - 9, "mine": MADE_S + 9}
    for name, at_s in written.items():
        fake_ranks.spark.system.put(f"/dev/shm/{name}", "x")
        os.utime(fake_ranks.spark.system.path(f"/dev/shm/{name}"), (at_s, at_s))
    fake_ranks.add_container("running")
    take_stop_previous(fake_ranks)
    assert "nccl-aB3dEf" in fake_ranks.spark.system.list_names("/dev/shm"), "its own run goes on"
    take_stop_previous(fake_ranks, token="today-2")
    assert fake_ranks.spark.system.list_names("/dev/shm") == ["mine", "nccl-before"]


def test_a_stop_keeps_the_ranks_of_its_own_run(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_container("running")
    fake_ranks.sockets = SSH + 'tcp LISTEN 0 9 *:8000 *:* users:(("python",pid=9,fd=3))\n'
    assert take_stop_previous(fake_ranks) == ["nothing to do"]
    assert list(fake_ranks.containers) == ["running"]


def test_a_neighbour_stays_and_any_other_service_ends(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_container("neighbour", service="gemma", token="x-1")
    fake_ranks.add_container("forgotten", service="phi", token="x-1")
    want = {**build_stop_want(), "neighbours": ["gemma"]}
    run_apply(fake_ranks.spark.system, "stop_previous:qwen", want)
    assert list(fake_ranks.containers) == ["neighbour"]


def test_the_rank_of_a_service_that_is_no_neighbour_ends_too(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_container("other", service="gemma", token="x-1")
    fake_ranks.add_service("elsewhere", service="gemma", token="x-1")
    take_stop_previous(fake_ranks)
    assert (list(fake_ranks.containers), list(fake_ranks.services)) == ([], ["elsewhere"])


def test_a_manager_without_a_rank_ends_nothing_of_another_service(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_container("other", service="gemma", token="x-1")
    take_stop_previous(fake_ranks, rank=None)
    assert list(fake_ranks.containers) == ["other"]


def test_a_port_that_somebody_holds_is_named_with_its_holder(fake_ranks: FakeRanks) -> None:
    fake_ranks.sockets = SSH + 'tcp LISTEN 0 9 *:8000 *:* users:(("jupyter",pid=9,fd=3))\n'
    with pytest.raises(StepError, match=r"Port 8000 \(API\) is held by jupyter at \*"):
        take_stop_previous(fake_ranks)


def test_a_stop_whose_dockerd_is_silent_is_refused_not_taken_for_empty(
    fake_ranks: FakeRanks,
) -> None:
    fake_ranks.silence()
    with pytest.raises(StepError, match="which ranks run on this node is unknown"):
        take_stop_previous(fake_ranks)


def test_ranks_of_a_silent_dockerd_are_unknown_and_not_absent(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system
    run_apply(system, "member:qwen", MEMBER)
    fake_ranks.silence()
    have = stop_previous.observe(system, QWEN)
    assert [member.kind for member in have.members] == ["unit"]
    assert have.unknown == "Docker does not answer (refused)"


def test_nothing_is_undone_or_cleared_while_dockerd_is_silent(fake_ranks: FakeRanks) -> None:
    take_stop_previous(fake_ranks)
    fake_ranks.add_container("running")
    fake_ranks.silence()
    with pytest.raises(StepError, match="Docker does not answer"):
        undo_stop_previous(fake_ranks, "today-1")
    with pytest.raises(StepError, match="Docker does not answer"):
        clear.main(fake_ranks.spark.system, ["qwen"], "")
    assert list(fake_ranks.containers) == ["running"]


def test_a_step_that_repairs_dockerd_stops_the_units_that_it_can(fake_ranks: FakeRanks) -> None:
    run_apply(fake_ranks.spark.system, "member:qwen", MEMBER)
    fake_ranks.silence()
    assert stopping.stop_ranks(fake_ranks.spark.system, lambda item: True) == [
        "unit sparkform-qwen.service: stopped",
        "Docker does not answer (refused): containers are left as they are",
    ]


def test_deleting_an_older_run_leaves_the_newer_one_alone(fake_ranks: FakeRanks) -> None:
    take_stop_previous(fake_ranks, token="today-1")
    take_stop_previous(fake_ranks, token="today-2")
    fake_ranks.add_container("new", token="today-2")
    assert undo_stop_previous(fake_ranks, "today-1") == [
        "stop_previous:qwen: nothing left of that run"
    ]
    assert list(fake_ranks.containers) == ["new"]
    assert undo_stop_previous(fake_ranks, "today-2") == ["container new: removed"]
    assert undo_stop_previous(fake_ranks, "today-2") == ["stop_previous:qwen: nothing to undo"]


def test_destroy_ends_ranks_that_a_killed_run_started(fake_ranks: FakeRanks) -> None:
    take_stop_previous(fake_ranks)
    fake_ranks.add_container("unrecorded", token="today-2")
    fake_ranks.add_service("unrecorded", token="today-2")
    undo_all(fake_ranks.spark.system)
    assert fake_ranks.read_state() == [{}, {}, {"secrets": {}, "configs": {}}, {}]


def test_clearing_a_service_ends_the_run_that_is_there(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_container("running")
    assert clear.main(fake_ranks.spark.system, ["qwen"], "") == ["container running: removed"]
    messages = clear.main(fake_ranks.spark.system, ["qwen"], "")
    assert messages == ["service qwen: nothing on this node"]


def test_what_a_step_disturbs_is_stopped_before_it_and_kept(fake_ranks: FakeRanks) -> None:
    fake_ranks.add_container("running")
    fake_ranks.add_container("other", service="gemma")
    text = json.loads(document_of("nccl_conf", {"NCCL_IB_DISABLE": "0"}))
    parsed = document.parse(json.dumps({**text, "stops": ["qwen"]}))
    messages = apply.apply_step(fake_ranks.spark.system, "nccl_conf", parsed)
    assert messages[0] == "container running: stopped"
    assert (fake_ranks.stopped, sorted(fake_ranks.containers)) == (
        ["running"],
        ["other", "running"],
    )


def test_a_unit_is_started_with_its_mark_and_found_by_it(fake_ranks: FakeRanks) -> None:
    run_apply(fake_ranks.spark.system, "member:qwen", MEMBER)
    have = stop_previous.observe(fake_ranks.spark.system, QWEN)
    (member,) = have.members
    assert (member.kind, member.token, member.alive) == ("unit", "today-1", True)
    fake_ranks.units.clear()
    (dead,) = stop_previous.observe(fake_ranks.spark.system, QWEN).members
    assert dead.alive is False
    take_stop_previous(fake_ranks, token="today-2")
    assert stop_previous.observe(fake_ranks.spark.system, QWEN) == stop_previous.Observed()


def test_a_unit_that_starts_again_after_a_reboot_is_a_rank_of_the_same_run(
    fake_ranks: FakeRanks,
) -> None:
    system = fake_ranks.spark.system
    run_apply(system, "member:qwen", MEMBER)
    fake_ranks.units.clear()
    system.remove_tree("/run")
    fake_ranks.units["sparkform-qwen.service"] = "active"
    (rank,) = stop_previous.observe(system, QWEN).members
    assert (rank.token, rank.alive) == ("today-1", True)


def test_files_are_written_with_their_modes_and_secrets_are_roots_alone(
    fake_ranks: FakeRanks,
) -> None:
    system = fake_ranks.spark.system
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}))
    assert (system.read(START), get_mode(fake_ranks, START)) == ("#!/bin/sh\n", 0o555)
    assert (system.read(SECRET), get_mode(fake_ranks, SECRET)) == (KEY, 0o400)
    assert get_mode(fake_ranks, SECRET.rpartition("/")[0]) == 0o700


def test_no_secret_is_in_what_is_observed_or_recorded(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}))
    have = launch_files.observe(system, QWEN)
    assert KEY not in json.dumps(to_fields(have))
    holders = [
        path for path in system.root.rglob("*") if path.is_file() and KEY in path.read_text()
    ]
    assert holders == [system.path(SECRET)]


def test_a_proof_fits_its_secret_and_no_other(fake_ranks: FakeRanks) -> None:
    system = fake_ranks.spark.system
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}))
    entry = launch_files.observe(system, QWEN).secrets[SECRET]
    salt = bytes.fromhex(entry.salt)
    assert launch_files.compute_proof(KEY, salt) == entry.proof
    assert launch_files.compute_proof(f"{KEY}x", salt) != entry.proof


def test_a_secret_that_does_not_arrive_is_named(fake_ranks: FakeRanks) -> None:
    with pytest.raises(StepError, match="apiKey did not arrive"):
        run_apply(fake_ranks.spark.system, "launch_files:qwen", FILES)


def test_an_edited_file_is_drift_and_one_of_an_older_launch_is_removed(
    fake_ranks: FakeRanks,
) -> None:
    system = fake_ranks.spark.system
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}))
    system.put(START, "#!/bin/sh\nfalse\n", 0o555)
    system.put(f"{SERVICES}/qwen/files/engine.yaml", "old: true\n")
    spec, want = launch_files.SPEC, launch_files.SPEC.parse_want(FILES)
    assert list_differences(spec, system, want, service="qwen") == [
        f"{START} is changed, will be written",
        f"{SERVICES}/qwen/files/engine.yaml is of an older launch, will be removed",
    ]
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}), run=2)
    assert is_same(read_have(spec, system, want, service="qwen"), want)


def test_a_private_key_is_made_once_and_its_public_half_is_all_that_is_printed(
    fake_ranks: FakeRanks,
) -> None:
    first_output = run_apply(fake_ranks.spark.system, "launch_keys:qwen", KEYS)
    assert [line[:16] for line in first_output] == ["ssh-ed25519 AAAA"]
    assert run_apply(fake_ranks.spark.system, "launch_keys:qwen", KEYS, run=2) == first_output
    assert get_mode(fake_ranks, CLIENT) == 0o600


def test_a_peers_key_that_is_another_today_differs(fake_ranks: FakeRanks) -> None:
    system, spec = fake_ranks.spark.system, launch_peers.SPEC
    run_apply(system, "launch_peers:qwen", PEERS, json.dumps({"spark-2": "ssh-ed25519 AAAA"}))
    observed, want = spec.observe(system, QWEN), spec.parse_want(PEERS)

    def list_key_differences(key: str) -> list[str]:
        compared = launch_peers.add_public_keys(observed, {"spark-2": key})
        return spec.compare(spec.narrow(compared, want), want)

    assert list_key_differences("ssh-ed25519 AAAA") == []
    assert list_key_differences("ssh-ed25519 BBBB") == [
        f"{KNOWN} lacks the key of spark-2, will be written"
    ]


STORIES = {
    "stop_previous:qwen": (build_stop_want(), ""),
    "member:qwen": (MEMBER, ""),
    "launch_files:qwen": (FILES, json.dumps({"apiKey": KEY})),
    "launch_keys:qwen": (KEYS, ""),
    "launch_peers:qwen": (PEERS, json.dumps({"spark-2": "ssh-ed25519 AAAA"})),
}


@pytest.mark.parametrize("step", STORIES)
def test_killed_at_any_effect_a_step_converges_and_undo_gives_the_machine_back(
    step: str, make_spark: Any
) -> None:
    def build_spark() -> FakeSpark:
        fake_spark: FakeSpark = make_spark()
        add_ranks(fake_spark).add_container("old", token="gone-1")
        return fake_spark

    def apply_step(fake_spark: FakeSpark) -> None:
        claim_node(fake_spark)
        want, secret = STORIES[step]
        run_apply(fake_spark.system, step, want, secret)

    def take_picture(fake_spark: FakeSpark) -> object:
        remove_old_container(fake_spark)
        return take_snapshot(fake_spark)

    picture_before = take_picture(build_spark())
    for fake_spark in run_lives(build_spark, apply_step):
        if fake_spark.system.get_state("/var/lib/sparkform") is not None:
            undo_all(fake_spark.system)
        assert take_picture(fake_spark) == picture_before


def remove_old_container(fake_spark: FakeSpark) -> None:
    """The container that the test began with is nobody's to give back."""
    answer = fake_spark.system.script.requests[("*", "*")]
    answer("DELETE", "/containers/old", None)
