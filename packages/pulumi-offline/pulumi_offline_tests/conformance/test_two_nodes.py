"""A stack of steps on two nodes, by real runs of `pulumi`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.conformance.stack import Stack


def traced(folder: Path, name: str, stdin: str, **more: Any) -> dict[str, Any]:
    """Inputs of a step that writes down each of its runs, with its stdin."""
    trace = folder / name
    parts = {"create": "create", "update": "update", "delete": "delete"}
    commands = {key: f'echo "{word} $(cat)" | tee -a {trace}' for key, word in parts.items()}
    return {**commands, "stdin": stdin, "add_previous_output_in_env": False, **more}


def runs(folder: Path, name: str) -> list[str]:
    trace = folder / name
    return trace.read_text().splitlines() if trace.exists() else []


def two_nodes(
    stack: Stack, first: SshServer, second: SshServer, folder: Path
) -> dict[str, SshServer]:
    """Three steps, two on the first node and one on the second."""
    locations = {"one-a": first, "one-b": first, "two-a": second}
    stack.steps = {name: (server, traced(folder, name, "v1")) for name, server in locations.items()}
    return locations


def test_steps_are_made_kept_changed_one_by_one_and_taken_back(
    stack: Stack, server: SshServer, other_server: SshServer, tmp_path: Path
) -> None:
    locations = two_nodes(stack, server, other_server, tmp_path)
    assert "4 created" in stack.up()
    assert {name: runs(tmp_path, name) for name in locations} == {
        name: ["create v1"] for name in locations
    }

    again = stack.up()
    assert "4 unchanged" in again
    assert "created" not in again
    assert all(runs(tmp_path, name) == ["create v1"] for name in locations)

    stack.steps["two-a"] = (other_server, traced(tmp_path, "two-a", "v2"))
    changed = stack.up()
    assert "1 updated" in changed
    assert "3 unchanged" in changed
    assert runs(tmp_path, "two-a") == ["create v1", "update v2"]
    assert runs(tmp_path, "one-a") == runs(tmp_path, "one-b") == ["create v1"]
    assert stack.resources()["two-a"]["outputs"]["stdout"] == "update v2"

    assert "4 deleted" in stack.project.good("destroy", "--yes", "--skip-preview")
    assert runs(tmp_path, "two-a")[-1] == "delete v2"
    assert runs(tmp_path, "one-a")[-1] == "delete v1"


def test_a_failed_create_says_why_and_is_tried_again_while_the_rest_stands(
    stack: Stack, server: SshServer, other_server: SshServer, tmp_path: Path
) -> None:
    two_nodes(stack, server, other_server, tmp_path)
    good = stack.steps["two-a"]
    stack.steps["two-a"] = (other_server, {**good[1], "create": "echo no room >&2; exit 7"})
    message = stack.failing_up()
    assert "Process exited with status 7" in message
    assert "no room" in message
    assert sorted(stack.resources()) == ["one-a", "one-b"], "a failed create is not in the state"

    stack.steps["two-a"] = good
    assert "1 created" in stack.up()
    assert runs(tmp_path, "one-a") == ["create v1"]
    stack.project.good("destroy", "--yes", "--skip-preview")


def test_a_failed_update_keeps_the_old_state_and_is_tried_again(
    stack: Stack, server: SshServer, tmp_path: Path
) -> None:
    stack.steps = {"step": (server, traced(tmp_path, "step", "v1"))}
    stack.up()
    broken = traced(tmp_path, "step", "v2", update="exit 9")
    stack.steps = {"step": (server, broken)}
    assert "Process exited with status 9" in stack.failing_up()
    assert stack.resources()["step"]["inputs"]["stdin"] == "v1"
    stack.steps = {"step": (server, traced(tmp_path, "step", "v2"))}
    assert "1 updated" in stack.up()
    assert runs(tmp_path, "step") == ["create v1", "update v2"]


def test_a_failed_delete_keeps_the_resource(
    stack: Stack, server: SshServer, tmp_path: Path
) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    stack.steps = {"step": (server, {"create": "true", "delete": f"test ! -e {lock}"})}
    stack.up()
    failed = stack.project.run("destroy", "--yes", "--skip-preview")
    assert failed.returncode != 0
    assert "Process exited with status 1" in failed.stdout
    assert list(stack.resources()) == ["step"]
    lock.unlink()
    stack.project.good("destroy", "--yes", "--skip-preview")
    assert stack.resources() == {}


def test_a_changed_trigger_replaces_the_new_one_first(
    stack: Stack, server: SshServer, tmp_path: Path
) -> None:
    """The SDK asks the engine for this; the plugin alone would update."""
    stack.steps = {"step": (server, traced(tmp_path, "step", "v1", triggers=["1"]))}
    stack.up()
    stack.steps = {"step": (server, traced(tmp_path, "step", "v2", triggers=["2"]))}
    assert "1 replaced" in stack.up()
    assert runs(tmp_path, "step") == ["create v1", "create v2", "delete v1"]


def test_a_preview_touches_no_node_and_names_what_would_change(
    stack: Stack, server: SshServer, tmp_path: Path
) -> None:
    stack.steps = {"step": (server, traced(tmp_path, "step", "v1"))}
    stack.write()
    assert "2 to create" in stack.project.good("preview")
    assert runs(tmp_path, "step") == []
    stack.up()
    stack.steps = {"step": (server, traced(tmp_path, "step", "v2"))}
    stack.write()
    revealed = stack.project.good("preview", "--diff")
    assert "1 to update" in revealed
    assert '"v1" => "v2"' in revealed
    assert runs(tmp_path, "step") == ["create v1"]


def test_a_refresh_changes_nothing_and_dials_nobody(
    stack: Stack, server: SshServer, tmp_path: Path
) -> None:
    stack.steps = {"step": (server, traced(tmp_path, "step", "v1"))}
    stack.up()
    before = server.log.count("Accepted publickey")
    assert "2 unchanged" in stack.project.good("refresh", "--yes")
    assert server.log.count("Accepted publickey") == before
    assert "2 unchanged" in stack.up()


def test_the_login_key_stands_nowhere_in_plain(
    stack: Stack, server: SshServer, tmp_path: Path
) -> None:
    stack.steps = {"step": (server, traced(tmp_path, "step", "v1"))}
    message = stack.up()
    line = server.keys.login.splitlines()[2]
    (stack.project.folder / "steps.json").unlink()
    remaining = b"".join(
        path.read_bytes() for path in stack.project.folder.rglob("*") if path.is_file()
    )
    assert line not in message
    assert line.encode() not in remaining
    assert b'"v1"' in remaining, "the control: what is not secret is found"


def test_the_plugin_says_what_it_is(stack: Stack, server: SshServer) -> None:
    """Listed as a stand-in it must say so in each run, once; the official one says nothing."""
    stack.steps = {"step": (server, {"create": "true"})}
    message = stack.up()
    listed = stack.project.good("plugin", "ls")
    assert "command" in listed
    # What is said while it runs is said once more in the summary.
    summary = message.partition("Diagnostics:")[2]
    assert summary.count("stand-in for pulumi-command 1.2.1") == listed.count("1.2.1+stand-in")
    assert "1.2.1" in listed
