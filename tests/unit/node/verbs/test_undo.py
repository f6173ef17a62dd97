"""Who may undo what, and what stays when others have written to the same files."""

from __future__ import annotations

import json

import pytest

from node.errors import Refusal
from node.host.paths import BACKUPS, LIBRARY, MANIFEST, STATE
from node.steps import docker_daemon
from node.verbs import undo
from tests.support.fake_spark import GPU, STOCK_DAEMON, STOCK_NCCL, claim
from tests.support.node_steps import document, owner_of, run_apply, undo_all

NCCL = {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": None}
DAEMON = dict(docker_daemon.wanted(GPU))


def undo_step(one, step: str, node: str = "spark-1") -> list[str]:
    return undo.main(one.system, [step], json.dumps({"owner": owner_of(step, node)}))


def test_what_others_added_to_our_files_stays_and_ours_goes(one) -> None:
    claim(one)
    run_apply(one.system, "docker_daemon", DAEMON)
    run_apply(one.system, "nccl_conf", NCCL)
    tree = json.loads(one.system.read("/etc/docker/daemon.json"))
    tree["registry-mirrors"] = ["https://mirror.example"]
    one.system.put("/etc/docker/daemon.json", json.dumps(tree, indent=4))
    one.system.put("/etc/nccl.conf", one.system.read("/etc/nccl.conf") + "NCCL_DEBUG=INFO\n")
    said = undo_all(one.system)
    assert json.loads(one.system.read("/etc/docker/daemon.json")) == {
        **json.loads(STOCK_DAEMON),
        "registry-mirrors": ["https://mirror.example"],
    }
    assert one.system.read("/etc/nccl.conf") == STOCK_NCCL + "NCCL_DEBUG=INFO\n"
    assert "dockerd restarted" in said
    kept = "taken out what is ours; the rest was changed by others and stays"
    assert f"/etc/docker/daemon.json: {kept}" in said


def test_what_others_added_before_a_repair_stays_too(one) -> None:
    """A repair writes the file anew: the first backup must not come back over their line."""
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    one.system.put("/etc/nccl.conf", STOCK_NCCL + "NCCL_DEBUG=INFO\n")
    run_apply(one.system, "nccl_conf", NCCL, run=2)
    undo_all(one.system)
    assert one.system.read("/etc/nccl.conf") == STOCK_NCCL + "NCCL_DEBUG=INFO\n"


def test_a_repair_of_our_own_drift_still_gives_the_old_bytes_back(one) -> None:
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    one.system.put("/etc/nccl.conf", STOCK_NCCL)
    run_apply(one.system, "nccl_conf", NCCL, run=2)
    assert "NCCL_IB_DISABLE=0" in one.system.read("/etc/nccl.conf")
    undo_all(one.system)
    assert one.system.read("/etc/nccl.conf") == STOCK_NCCL


def test_a_key_that_others_changed_since_is_left_and_named(one) -> None:
    claim(one)
    run_apply(one.system, "docker_daemon", DAEMON)
    tree = json.loads(one.system.read("/etc/docker/daemon.json"))
    tree["default-runtime"] = "crun"
    one.system.put("/etc/docker/daemon.json", json.dumps(tree))
    said = undo_all(one.system)
    left = "/etc/docker/daemon.json: left default-runtime, which others changed"
    assert left in said
    assert json.loads(one.system.read("/etc/docker/daemon.json"))["default-runtime"] == "crun"


def test_bytes_that_are_no_text_and_odd_line_ends_come_back_as_they_were(one) -> None:
    odd = "# caf\udce9\r\nNCCL_IB_DISABLE=1\r\nlast"
    one.system.put("/etc/nccl.conf", odd, 0o640)
    before = one.system.path("/etc/nccl.conf").read_bytes()
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    assert b"NCCL_IB_DISABLE=0\r\n" in one.system.path("/etc/nccl.conf").read_bytes()
    undo_all(one.system)
    assert one.system.path("/etc/nccl.conf").read_bytes() == before
    assert one.system.state("/etc/nccl.conf").mode == 0o640


def test_a_renamed_node_keeps_what_its_old_name_would_undo(one) -> None:
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    from node.verbs import apply

    renamed = document("nccl_conf", NCCL, run=2, node="desk")
    assert apply.main(one.system, ["nccl_conf"], renamed) == [
        "taken over from spark/demo/spark-1/nccl_conf"
    ]
    said = undo_step(one, "nccl_conf")
    assert said == ["nccl_conf: belongs to spark/demo/desk/nccl_conf now, left as it is"]
    assert "NCCL_IB_DISABLE=0" in one.system.read("/etc/nccl.conf")
    undo_step(one, "nccl_conf", node="desk")
    assert one.system.read("/etc/nccl.conf") == STOCK_NCCL


def test_a_renamed_nodes_anchor_does_not_take_the_node_down(one) -> None:
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    anchor = json.dumps({"owner": owner_of("anchor", "desk")})
    one.system.put(f"{STATE}/receipts/anchor.json", anchor)
    said = undo.main(one.system, ["--all"], json.dumps({"owner": owner_of("anchor")}))
    assert said == ["This node belongs to spark/demo/desk/anchor now, left as it is."]
    assert one.system.state(STATE) is not None


def test_another_stack_undoes_nothing(one) -> None:
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    other = json.dumps({"owner": "spark/other/spark-1/anchor"})
    assert "belongs to stack spark/demo" in undo.main(one.system, ["--all"], other)[0]
    assert one.system.read(MANIFEST)


def test_a_step_undone_alone_begins_anew_when_it_is_applied_again(one) -> None:
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    undo_step(one, "nccl_conf")
    assert undo_step(one, "nccl_conf") == ["nccl_conf: nothing of it is on this node"]
    one.system.put("/etc/nccl.conf", "NCCL_IB_DISABLE=1\n# newer\n")
    run_apply(one.system, "nccl_conf", NCCL)
    undo_all(one.system)
    assert one.system.read("/etc/nccl.conf") == "NCCL_IB_DISABLE=1\n# newer\n"


def test_one_thing_that_cannot_be_undone_keeps_no_other_from_it_and_the_record(one) -> None:
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    run_apply(one.system, "docker_daemon", DAEMON)
    one.docker_starts = False
    with pytest.raises(Refusal, match="Not everything could be undone"):
        undo_all(one.system)
    assert one.system.read("/etc/nccl.conf") == STOCK_NCCL
    assert one.system.read("/etc/docker/daemon.json") == STOCK_DAEMON
    one.docker_starts = True
    assert "dockerd restarted" in undo_all(one.system)
    assert one.running == json.loads(STOCK_DAEMON)
    assert one.system.state(STATE) is None


def test_a_missing_backup_is_said_and_nothing_is_guessed(one) -> None:
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    for name in one.system.names(BACKUPS):
        one.system.path(f"{BACKUPS}/{name}").unlink()
    said = undo_all(one.system)
    assert any("its backup" in line for line in said)
    assert "NCCL_IB_DISABLE=0" in one.system.read("/etc/nccl.conf")


def test_models_that_somebody_put_there_are_not_removed(one) -> None:
    claim(one)
    models = f"{STATE}/models"
    want = {
        "user": "nvidia",
        "docker_group": False,
        "linger": False,
        "memlock": "unlimited",
        "swap": None,
        "model_directory": models,
        "model_directory_exists": True,
        "model_directory_mode": "0775",
        "model_directory_owner": "nvidia",
    }
    run_apply(one.system, "host_ready", want)
    one.system.put(f"{models}/llama/config.json", "{}")
    said = undo_all(one.system)
    assert f"{models}: left, because 1 things are in it" in said
    assert one.system.names(STATE) == ["models"]


def test_undo_of_a_node_where_only_the_program_is_left_removes_it(one) -> None:
    """The state went and the power too: the next `undo --all` finishes."""
    one.system.put(f"{LIBRARY}/node.pyz", "x")
    assert undo_all(one.system) == ["the node program removed itself"]
    assert one.system.state(LIBRARY) is None


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_undo_says_what_it_needs(one, arguments) -> None:
    with pytest.raises(Refusal, match="needs one step"):
        undo.main(one.system, arguments, "")


def test_undo_of_a_step_without_an_owner_is_refused(one) -> None:
    claim(one)
    with pytest.raises(Refusal, match="needs the step's owner"):
        undo.main(one.system, ["nccl_conf"], "")


def test_a_torn_last_line_of_the_manifest_counts_for_nothing(one) -> None:
    claim(one)
    run_apply(one.system, "nccl_conf", NCCL)
    one.system.put(MANIFEST, one.system.read(MANIFEST) + '{"step": "nccl_co', 0o600)
    run_apply(one.system, "docker_daemon", DAEMON)
    undo_all(one.system)
    assert one.system.read("/etc/nccl.conf") == STOCK_NCCL
    assert one.system.read("/etc/docker/daemon.json") == STOCK_DAEMON
