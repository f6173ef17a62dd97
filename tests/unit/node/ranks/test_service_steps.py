"""Slot, member, files and keys of a service on a node: what they end, keep, write and take back."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from node.errors import Refusal
from node.host.paths import SERVICES
from node.state import document
from node.steps import STEPS, launch_files, slot
from node.verbs import apply, clear, undo
from tests.support.fake_ranks import MADE_S, SSH, FakeRanks, ranks
from tests.support.fake_spark import FakeSpark, claim
from tests.support.node_steps import document as document_of
from tests.support.node_steps import lives, owner_of, picture, run_apply, undo_all

pytestmark = pytest.mark.usefixtures("patience")

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


def slot_want(token: str = "today-1", rank: int | None = 0) -> dict[str, Any]:
    return {"service": "qwen", "token": token, "rank": rank, "ports": [PORT], "launch": None}


@pytest.fixture
def there(one: FakeSpark) -> FakeRanks:
    claim(one)
    return ranks(one)


def take_slot(there: FakeRanks, **want: Any) -> list[str]:
    return run_apply(there.one.system, "slot:qwen", slot_want(**want))


def mode(there: FakeRanks, path: str) -> int | None:
    state = there.one.system.state(path)
    return state.mode if state else None


def undo_slot(there: FakeRanks, token: str) -> list[str]:
    text = json.dumps({"owner": owner_of("slot:qwen"), "want": slot_want(token)})
    return undo.main(there.one.system, ["slot:qwen"], text)


def test_a_slot_ends_every_rank_of_older_runs_and_says_which(there: FakeRanks) -> None:
    there.container("old", token="gone-7")
    there.service("older", token="gone-3")
    said = take_slot(there)
    assert said == [
        "service older: removed",
        "container old: removed",
        "secret older-secrets: removed",
        "config older-configs: removed",
    ]
    assert there.state() == [{}, {}, {"secrets": {}, "configs": {}}, {}]
    assert there.stopped == ["old"]


def test_a_slot_gives_back_the_shared_memory_of_the_ranks_that_it_ends(there: FakeRanks) -> None:
    written = {"nccl-aB3dEf": MADE_S + 9, "nccl-before": MADE_S - 9, "mine": MADE_S + 9}
    for name, at_s in written.items():
        there.one.system.put(f"/dev/shm/{name}", "x")
        os.utime(there.one.system.path(f"/dev/shm/{name}"), (at_s, at_s))
    there.container("running")
    take_slot(there)
    assert "nccl-aB3dEf" in there.one.system.names("/dev/shm"), "its own run goes on"
    take_slot(there, token="today-2")
    assert there.one.system.names("/dev/shm") == ["mine", "nccl-before"]


def test_a_slot_keeps_the_ranks_of_its_own_run(there: FakeRanks) -> None:
    there.container("running")
    there.sockets = SSH + 'tcp LISTEN 0 9 *:8000 *:* users:(("python",pid=9,fd=3))\n'
    assert take_slot(there) == ["nothing to do"]
    assert list(there.containers) == ["running"]


def test_a_node_runs_one_engine_so_that_of_another_service_ends_too(there: FakeRanks) -> None:
    there.container("other", service="gemma", token="x-1")
    there.service("elsewhere", service="gemma", token="x-1")
    take_slot(there)
    assert (list(there.containers), list(there.services)) == ([], ["elsewhere"])


def test_a_manager_without_a_rank_ends_nothing_of_another_service(there: FakeRanks) -> None:
    there.container("other", service="gemma", token="x-1")
    take_slot(there, rank=None)
    assert list(there.containers) == ["other"]


def test_a_port_that_somebody_holds_is_named_with_its_holder(there: FakeRanks) -> None:
    there.sockets = SSH + 'tcp LISTEN 0 9 *:8000 *:* users:(("jupyter",pid=9,fd=3))\n'
    with pytest.raises(Refusal, match=r"Port 8000 \(API\) is held by jupyter at \*"):
        take_slot(there)


def test_a_slot_whose_dockerd_is_silent_is_refused_not_taken_for_empty(there: FakeRanks) -> None:
    from node.host.system import Answer

    ping = ("GET", "/_ping")
    there.one.system.script.requests[ping] = lambda method, path, body: Answer(0, "refused")
    with pytest.raises(Refusal, match="is not known"):
        take_slot(there)


def test_deleting_an_older_run_leaves_the_newer_one_alone(there: FakeRanks) -> None:
    take_slot(there, token="today-1")
    take_slot(there, token="today-2")
    there.container("new", token="today-2")
    assert undo_slot(there, "today-1") == ["slot:qwen: nothing is left of that run"]
    assert list(there.containers) == ["new"]
    assert undo_slot(there, "today-2") == ["container new: removed"]
    assert undo_slot(there, "today-2") == ["slot:qwen: nothing of it is on this node"]


def test_destroy_ends_ranks_that_a_killed_run_started(there: FakeRanks) -> None:
    take_slot(there)
    there.container("unrecorded", token="today-2")
    there.service("unrecorded", token="today-2")
    undo_all(there.one.system)
    assert there.state() == [{}, {}, {"secrets": {}, "configs": {}}, {}]


def test_clearing_a_service_ends_the_run_that_is_there(there: FakeRanks) -> None:
    there.container("running")
    assert clear.main(there.one.system, ["qwen"], "") == ["container running: removed"]
    said = clear.main(there.one.system, ["qwen"], "")
    assert said == ["nothing of service qwen is on this node"]


def test_what_a_step_disturbs_is_stopped_before_it_and_kept(there: FakeRanks) -> None:
    there.container("running")
    there.container("other", service="gemma")
    text = json.loads(document_of("nccl_conf", {"NCCL_IB_DISABLE": "0"}))
    wanted = document.parse(json.dumps({**text, "stops": ["qwen"]}))
    said = apply.apply(there.one.system, "nccl_conf", wanted)
    assert said[0] == "container running: stopped"
    assert (there.stopped, sorted(there.containers)) == (["running"], ["other", "running"])


def test_a_unit_is_started_with_its_mark_and_found_by_it(there: FakeRanks) -> None:
    run_apply(there.one.system, "member:qwen", MEMBER)
    seen = slot.observe(there.one.system, {"service": "qwen"})
    (member,) = seen["members"]
    assert (member["kind"], member["token"], member["alive"]) == ("unit", "today-1", True)
    there.units.clear()
    (dead,) = slot.observe(there.one.system, {"service": "qwen"})["members"]
    assert dead["alive"] is False
    take_slot(there, token="today-2")
    assert slot.observe(there.one.system, {"service": "qwen"}) == {"members": []}


def test_files_are_written_with_their_modes_and_secrets_are_roots_alone(there: FakeRanks) -> None:
    system = there.one.system
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}))
    assert (system.read(START), mode(there, START)) == ("#!/bin/sh\n", 0o555)
    assert (system.read(SECRET), mode(there, SECRET)) == (KEY, 0o400)
    assert mode(there, SECRET.rpartition("/")[0]) == 0o700


def test_no_secret_is_in_what_is_observed_or_recorded(there: FakeRanks) -> None:
    system = there.one.system
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}))
    seen = launch_files.observe(system, {"service": "qwen"})
    assert KEY not in json.dumps(seen)
    holders = [
        path for path in system.root.rglob("*") if path.is_file() and KEY in path.read_text()
    ]
    assert holders == [system.path(SECRET)]


def test_a_proof_fits_its_secret_and_no_other(there: FakeRanks) -> None:
    system = there.one.system
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}))
    one = launch_files.observe(system, {"service": "qwen"})["secrets"][SECRET]
    salt = bytes.fromhex(one["salt"])
    assert launch_files.proof(KEY, salt) == one["proof"]
    assert launch_files.proof(f"{KEY}x", salt) != one["proof"]


def test_a_secret_that_does_not_arrive_is_named(there: FakeRanks) -> None:
    with pytest.raises(Refusal, match="apiKey did not arrive"):
        run_apply(there.one.system, "launch_files:qwen", FILES)


def test_an_edited_file_is_drift_and_one_of_an_older_launch_is_removed(there: FakeRanks) -> None:
    system = there.one.system
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}))
    system.put(START, "#!/bin/sh\nfalse\n", 0o555)
    system.put(f"{SERVICES}/qwen/files/engine.yaml", "old: true\n")
    seen = launch_files.narrow(launch_files.observe(system, {"service": "qwen"}), FILES)
    assert launch_files.differences(seen, FILES) == [
        f"{START} is changed, will be written",
        f"{SERVICES}/qwen/files/engine.yaml is of an older launch, will be removed",
    ]
    run_apply(system, "launch_files:qwen", FILES, json.dumps({"apiKey": KEY}), run=2)
    found = launch_files.narrow(launch_files.observe(system, {"service": "qwen"}), FILES)
    assert found == FILES


def test_a_private_key_is_made_once_and_its_public_half_is_all_that_is_printed(
    there: FakeRanks,
) -> None:
    first = run_apply(there.one.system, "launch_keys:qwen", KEYS)
    assert [one[:16] for one in first] == ["ssh-ed25519 AAAA"]
    assert run_apply(there.one.system, "launch_keys:qwen", KEYS, run=2) == first
    assert mode(there, CLIENT) == 0o600


def test_a_peers_key_that_is_another_today_differs(there: FakeRanks) -> None:
    system, step = there.one.system, STEPS["launch_peers:qwen"]
    run_apply(system, "launch_peers:qwen", PEERS, json.dumps({"spark-2": "ssh-ed25519 AAAA"}))
    seen = step.observe(system, {"service": "qwen"})
    same = step.narrow({**seen, "keys": {"spark-2": "ssh-ed25519 AAAA"}}, PEERS)
    other = step.narrow({**seen, "keys": {"spark-2": "ssh-ed25519 BBBB"}}, PEERS)
    assert step.differences(same, PEERS) == []
    assert step.differences(other, PEERS) == [f"{KNOWN} lacks the key of spark-2, will be written"]


STORIES = {
    "slot:qwen": (slot_want(), ""),
    "member:qwen": (MEMBER, ""),
    "launch_files:qwen": (FILES, json.dumps({"apiKey": KEY})),
    "launch_keys:qwen": (KEYS, ""),
    "launch_peers:qwen": (PEERS, json.dumps({"spark-2": "ssh-ed25519 AAAA"})),
}


@pytest.mark.parametrize("step", STORIES)
def test_killed_at_any_effect_a_step_converges_and_undo_gives_the_machine_back(
    step: str, make: Any
) -> None:
    def fresh() -> FakeSpark:
        found: FakeSpark = make()
        ranks(found).container("old", token="gone-1")
        return found

    def act(found: FakeSpark) -> None:
        claim(found)
        want, secret = STORIES[step]
        run_apply(found.system, step, want, secret)

    def without_ranks(found: FakeSpark) -> object:
        clear_all(found)
        return picture(found)

    before = without_ranks(fresh())
    for found in lives(fresh, act):
        if found.system.state("/var/lib/sparkform") is not None:
            undo_all(found.system)
        assert without_ranks(found) == before


def clear_all(found: FakeSpark) -> None:
    """The container that the test began with is nobody's to give back."""
    answer = found.system.script.requests[("*", "*")]
    answer("DELETE", "/containers/old", None)
