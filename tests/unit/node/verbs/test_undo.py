"""Who may undo what, and what stays when others have written to the same files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from node.changes import file
from node.errors import StepError
from node.host.paths import BACKUPS, LIBRARY, MANIFEST, STATE, VERIFIED_MODELS
from node.state.manifest import Manifest
from node.steps import docker_daemon
from node.verbs import undo
from tests.support.fake_spark import GPU, STOCK_DAEMON, STOCK_NCCL, claim_node
from tests.support.node_steps import build_document, format_owner, run_apply, undo_all

NCCL = {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": None}
DAEMON = docker_daemon.build_want(GPU)


def undo_step(spark, step: str, node: str = "spark-1") -> list[str]:
    return undo.main(spark.system, [step], json.dumps({"owner": format_owner(step, node)}))


def test_what_others_added_to_our_files_stays_and_ours_goes(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "docker_daemon", DAEMON)
    run_apply(spark.system, "nccl_conf", NCCL)
    tree = json.loads(spark.system.read("/etc/docker/daemon.json"))
    tree["registry-mirrors"] = ["https://mirror.example"]
    spark.system.put("/etc/docker/daemon.json", json.dumps(tree, indent=4))
    spark.system.put("/etc/nccl.conf", spark.system.read("/etc/nccl.conf") + "NCCL_DEBUG=INFO\n")
    messages = undo_all(spark.system)
    assert json.loads(spark.system.read("/etc/docker/daemon.json")) == {
        **json.loads(STOCK_DAEMON),
        "registry-mirrors": ["https://mirror.example"],
    }
    assert spark.system.read("/etc/nccl.conf") == STOCK_NCCL + "NCCL_DEBUG=INFO\n"
    assert "dockerd restarted" in messages
    message = "our entries removed; other changes kept"
    assert f"/etc/docker/daemon.json: {message}" in messages


def test_what_others_added_before_a_repair_stays_too(spark) -> None:
    """A repair writes the file anew: the first backup must not come back over their line."""
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    spark.system.put("/etc/nccl.conf", STOCK_NCCL + "NCCL_DEBUG=INFO\n")
    run_apply(spark.system, "nccl_conf", NCCL, run=2)
    undo_all(spark.system)
    assert spark.system.read("/etc/nccl.conf") == STOCK_NCCL + "NCCL_DEBUG=INFO\n"


def test_a_repair_of_our_own_drift_still_gives_the_old_bytes_back(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    spark.system.put("/etc/nccl.conf", STOCK_NCCL)
    run_apply(spark.system, "nccl_conf", NCCL, run=2)
    assert "NCCL_IB_DISABLE=0" in spark.system.read("/etc/nccl.conf")
    undo_all(spark.system)
    assert spark.system.read("/etc/nccl.conf") == STOCK_NCCL


def test_a_key_that_others_changed_since_is_left_and_named(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "docker_daemon", DAEMON)
    tree = json.loads(spark.system.read("/etc/docker/daemon.json"))
    tree["default-runtime"] = "crun"
    spark.system.put("/etc/docker/daemon.json", json.dumps(tree))
    messages = undo_all(spark.system)
    message = "/etc/docker/daemon.json: default-runtime kept, changed by others"
    assert message in messages
    assert json.loads(spark.system.read("/etc/docker/daemon.json"))["default-runtime"] == "crun"


def test_bytes_that_are_no_text_and_odd_line_ends_come_back_as_they_were(spark) -> None:
    odd_text = "# caf\udce9\r\nNCCL_IB_DISABLE=1\r\nlast"
    spark.system.put("/etc/nccl.conf", odd_text, 0o640)
    original = spark.system.path("/etc/nccl.conf").read_bytes()
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    assert b"NCCL_IB_DISABLE=0\r\n" in spark.system.path("/etc/nccl.conf").read_bytes()
    undo_all(spark.system)
    assert spark.system.path("/etc/nccl.conf").read_bytes() == original
    assert spark.system.get_state("/etc/nccl.conf").mode == 0o640


def test_a_renamed_node_keeps_what_its_old_name_would_undo(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    from node.verbs import apply

    renamed = build_document("nccl_conf", NCCL, run=2, node="desk")
    assert apply.main(spark.system, ["nccl_conf"], renamed) == [
        "taken over from spark/demo/spark-1/nccl_conf"
    ]
    messages = undo_step(spark, "nccl_conf")
    assert messages == ["nccl_conf: now owned by spark/demo/desk/nccl_conf; kept"]
    assert "NCCL_IB_DISABLE=0" in spark.system.read("/etc/nccl.conf")
    undo_step(spark, "nccl_conf", node="desk")
    assert spark.system.read("/etc/nccl.conf") == STOCK_NCCL


def test_a_renamed_nodes_agent_does_not_take_the_node_down(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    agent = json.dumps({"owner": format_owner("agent", "desk")})
    spark.system.put(f"{STATE}/receipts/agent.json", agent)
    messages = undo.main(spark.system, ["--all"], json.dumps({"owner": format_owner("agent")}))
    assert messages == ["This node is now owned by spark/demo/desk/agent; nothing undone."]
    assert spark.system.get_state(STATE) is not None


def test_another_stack_undoes_nothing(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    other_owner = json.dumps({"owner": "spark/other/spark-1/agent"})
    assert "belongs to stack spark/demo" in undo.main(spark.system, ["--all"], other_owner)[0]
    assert spark.system.read(MANIFEST)


def test_a_step_undone_alone_begins_anew_when_it_is_applied_again(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    undo_step(spark, "nccl_conf")
    assert undo_step(spark, "nccl_conf") == ["nccl_conf: nothing to undo"]
    spark.system.put("/etc/nccl.conf", "NCCL_IB_DISABLE=1\n# newer\n")
    run_apply(spark.system, "nccl_conf", NCCL)
    undo_all(spark.system)
    assert spark.system.read("/etc/nccl.conf") == "NCCL_IB_DISABLE=1\n# newer\n"


def test_one_thing_that_cannot_be_undone_keeps_no_other_from_it_and_the_record(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    run_apply(spark.system, "docker_daemon", DAEMON)
    spark.docker_starts = False
    with pytest.raises(StepError, match="Undo incomplete"):
        undo_all(spark.system)
    assert spark.system.read("/etc/nccl.conf") == STOCK_NCCL
    assert spark.system.read("/etc/docker/daemon.json") == STOCK_DAEMON
    spark.docker_starts = True
    assert "dockerd restarted" in undo_all(spark.system)
    assert spark.running == json.loads(STOCK_DAEMON)
    assert spark.system.get_state(STATE) is None


def test_a_missing_backup_is_said_and_nothing_is_guessed(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    for name in spark.system.list_names(BACKUPS):
        spark.system.path(f"{BACKUPS}/{name}").unlink()
    messages = undo_all(spark.system)
    assert any("backup" in line and "missing" in line for line in messages)
    assert "NCCL_IB_DISABLE=0" in spark.system.read("/etc/nccl.conf")


def test_models_that_somebody_put_there_are_not_removed(spark) -> None:
    claim_node(spark)
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
    run_apply(spark.system, "prerequisites", want)
    spark.system.put(f"{models}/llama/config.json", "{}")
    messages = undo_all(spark.system)
    assert f"{models}: kept: not empty (1 inside)" in messages
    assert spark.system.list_names(STATE) == ["models"]


def test_undo_of_a_node_where_only_the_program_is_left_removes_it(spark) -> None:
    """The state went and the power too: the next `undo --all` finishes."""
    spark.system.put(f"{LIBRARY}/node.pyz", "x")
    assert undo_all(spark.system) == ["node agent removed"]
    assert spark.system.get_state(LIBRARY) is None


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_undo_says_what_it_needs(spark, arguments) -> None:
    with pytest.raises(StepError, match="needs one step"):
        undo.main(spark.system, arguments, "")


def test_undo_of_a_step_without_an_owner_is_refused(spark) -> None:
    claim_node(spark)
    with pytest.raises(StepError, match="needs the step's owner"):
        undo.main(spark.system, ["nccl_conf"], "")


def test_a_torn_last_line_of_the_manifest_counts_for_nothing(spark) -> None:
    claim_node(spark)
    run_apply(spark.system, "nccl_conf", NCCL)
    spark.system.put(MANIFEST, spark.system.read(MANIFEST) + '{"step": "nccl_co', 0o600)
    run_apply(spark.system, "docker_daemon", DAEMON)
    undo_all(spark.system)
    assert spark.system.read("/etc/nccl.conf") == STOCK_NCCL
    assert spark.system.read("/etc/docker/daemon.json") == STOCK_DAEMON


@pytest.mark.parametrize("order", [["model:a", "model:b"], ["model:b", "model:a"]])
def test_a_directory_of_two_steps_goes_with_the_last_of_them(spark, order: list[str]) -> None:
    """Model a is replaced by model b: what a made for both must not outlive b."""
    claim_node(spark)
    for step in ("model:a", "model:b"):
        manifest = Manifest(spark.system, step, format_owner(step))
        change = file.FileChange(f"{VERIFIED_MODELS}/{step[-1]}.json", "{}")
        file.write(manifest, change)
        file.write(manifest, replace(change, text="{ }"))
    first = undo_step(spark, order[0])
    assert f"{VERIFIED_MODELS}: kept: not empty (1 inside)" in first
    second = undo_step(spark, order[1])
    assert f"{VERIFIED_MODELS}: removed" in second
    assert spark.system.get_state(VERIFIED_MODELS) is None
