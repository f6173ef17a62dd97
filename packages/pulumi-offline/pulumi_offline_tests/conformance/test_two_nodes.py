"""A stack of steps on two nodes, by real runs of `pulumi`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.conformance.stack import CommandStack


def trace(folder: Path, name: str, stdin: str, **more: Any) -> dict[str, Any]:
    """Inputs of a step that writes down each of its runs, with its stdin."""
    trace = folder / name
    fields = {"create": "create", "update": "update", "delete": "delete"}
    commands = {key: f'echo "{text} $(cat)" | tee -a {trace}' for key, text in fields.items()}
    return {**commands, "stdin": stdin, "add_previous_output_in_env": False, **more}


def read_runs(folder: Path, name: str) -> list[str]:
    trace = folder / name
    return trace.read_text().splitlines() if trace.exists() else []


def build_steps(
    stack: CommandStack, first: SshServer, second: SshServer, folder: Path
) -> dict[str, SshServer]:
    """Three steps, two on the first node and one on the second."""
    places = {"one-a": first, "one-b": first, "two-a": second}
    stack.steps = {name: (server, trace(folder, name, "v1")) for name, server in places.items()}
    return places


def test_steps_are_made_kept_changed_one_by_one_and_taken_back(
    stack: CommandStack, server: SshServer, other_server: SshServer, tmp_path: Path
) -> None:
    places = build_steps(stack, server, other_server, tmp_path)
    assert "4 created" in stack.run_up()
    assert {name: read_runs(tmp_path, name) for name in places} == {
        name: ["create v1"] for name in places
    }

    again = stack.run_up()
    assert "4 unchanged" in again
    assert "created" not in again
    assert all(read_runs(tmp_path, name) == ["create v1"] for name in places)

    stack.steps["two-a"] = (other_server, trace(tmp_path, "two-a", "v2"))
    changed = stack.run_up()
    assert "1 updated" in changed
    assert "3 unchanged" in changed
    assert read_runs(tmp_path, "two-a") == ["create v1", "update v2"]
    assert read_runs(tmp_path, "one-a") == read_runs(tmp_path, "one-b") == ["create v1"]
    assert stack.list_resources()["two-a"]["outputs"]["stdout"] == "update v2"

    assert "4 deleted" in stack.project.run_well("destroy", "--yes", "--skip-preview")
    assert read_runs(tmp_path, "two-a")[-1] == "delete v2"
    assert read_runs(tmp_path, "one-a")[-1] == "delete v1"


def test_a_failed_create_says_why_and_is_tried_again_while_the_rest_stands(
    stack: CommandStack, server: SshServer, other_server: SshServer, tmp_path: Path
) -> None:
    build_steps(stack, server, other_server, tmp_path)
    good = stack.steps["two-a"]
    stack.steps["two-a"] = (other_server, {**good[1], "create": "echo no room >&2; exit 7"})
    output = stack.fail_up()
    assert "Process exited with status 7" in output
    assert "no room" in output
    assert sorted(stack.list_resources()) == ["one-a", "one-b"], (
        "a failed create is not in the state"
    )

    stack.steps["two-a"] = good
    assert "1 created" in stack.run_up()
    assert read_runs(tmp_path, "one-a") == ["create v1"]
    stack.project.run_well("destroy", "--yes", "--skip-preview")


def test_a_failed_update_keeps_the_old_state_and_is_tried_again(
    stack: CommandStack, server: SshServer, tmp_path: Path
) -> None:
    stack.steps = {"step": (server, trace(tmp_path, "step", "v1"))}
    stack.run_up()
    broken = trace(tmp_path, "step", "v2", update="exit 9")
    stack.steps = {"step": (server, broken)}
    assert "Process exited with status 9" in stack.fail_up()
    assert stack.list_resources()["step"]["inputs"]["stdin"] == "v1"
    stack.steps = {"step": (server, trace(tmp_path, "step", "v2"))}
    assert "1 updated" in stack.run_up()
    assert read_runs(tmp_path, "step") == ["create v1", "update v2"]


def test_a_failed_delete_keeps_the_resource(
    stack: CommandStack, server: SshServer, tmp_path: Path
) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    stack.steps = {"step": (server, {"create": "true", "delete": f"test ! -e {lock}"})}
    stack.run_up()
    failed = stack.project.run("destroy", "--yes", "--skip-preview")
    assert failed.returncode != 0
    assert "Process exited with status 1" in failed.stdout
    assert list(stack.list_resources()) == ["step"]
    lock.unlink()
    stack.project.run_well("destroy", "--yes", "--skip-preview")
    assert stack.list_resources() == {}


def test_a_changed_trigger_replaces_the_new_one_first(
    stack: CommandStack, server: SshServer, tmp_path: Path
) -> None:
    """The SDK asks the engine for this; the plugin alone would update."""
    stack.steps = {"step": (server, trace(tmp_path, "step", "v1", triggers=["1"]))}
    stack.run_up()
    stack.steps = {"step": (server, trace(tmp_path, "step", "v2", triggers=["2"]))}
    assert "1 replaced" in stack.run_up()
    assert read_runs(tmp_path, "step") == ["create v1", "create v2", "delete v1"]


def test_a_preview_touches_no_node_and_names_what_would_change(
    stack: CommandStack, server: SshServer, tmp_path: Path
) -> None:
    stack.steps = {"step": (server, trace(tmp_path, "step", "v1"))}
    stack.write()
    assert "2 to create" in stack.project.run_well("preview")
    assert read_runs(tmp_path, "step") == []
    stack.run_up()
    stack.steps = {"step": (server, trace(tmp_path, "step", "v2"))}
    stack.write()
    output = stack.project.run_well("preview", "--diff")
    assert "1 to update" in output
    assert '"v1" => "v2"' in output
    assert read_runs(tmp_path, "step") == ["create v1"]


def test_a_refresh_changes_nothing_and_dials_nobody(
    stack: CommandStack, server: SshServer, tmp_path: Path
) -> None:
    stack.steps = {"step": (server, trace(tmp_path, "step", "v1"))}
    stack.run_up()
    before = server.log.count("Accepted publickey")
    assert "2 unchanged" in stack.project.run_well("refresh", "--yes")
    assert server.log.count("Accepted publickey") == before
    assert "2 unchanged" in stack.run_up()


def test_the_login_key_stands_nowhere_in_plain(
    stack: CommandStack, server: SshServer, tmp_path: Path
) -> None:
    stack.steps = {"step": (server, trace(tmp_path, "step", "v1"))}
    output = stack.run_up()
    line = server.keys.login.splitlines()[2]
    (stack.project.folder / "steps.json").unlink()
    state = b"".join(
        path.read_bytes() for path in stack.project.folder.rglob("*") if path.is_file()
    )
    assert line not in output
    assert line.encode() not in state
    assert b'"v1"' in state, "the control: what is not secret is found"


def test_the_plugin_says_what_it_is(stack: CommandStack, server: SshServer) -> None:
    """Listed as a stand-in it must say so in each run, once; the official one says nothing."""
    stack.steps = {"step": (server, {"create": "true"})}
    output = stack.run_up()
    listed = stack.project.run_well("plugin", "ls")
    assert "command" in listed
    # What is said while it runs is said once more in the summary.
    summary = output.partition("Diagnostics:")[2]
    assert summary.count("stand-in for pulumi-command 1.2.1") == listed.count("1.2.1+stand-in")
    assert "1.2.1" in listed
