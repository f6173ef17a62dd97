"""What Pulumi does with the commands of a node where it is asked to replace what does not differ.

The resources are the product's own, over SSH to this machine; each command writes down that it ran
instead of doing anything.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pulumi_offline_tests.conformance.conftest import keys, server, stack
from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.conformance.stack import CommandStack, build_connection
from pulumi_offline_tests.project import ROOT

__all__ = ["keys", "server", "stack"]

PROGRAM = """
    import json, pathlib, sys
    from types import SimpleNamespace
    from pulumi import ResourceOptions
    from pulumi_command import remote
    sys.path.insert(0, {root!r})
    from components import host_step
    from components.run_log import RunLog

    def write_down(words):
        return f"echo '{{words}}' | tee -a {trace}; cat > /dev/null"

    host_step.INSTALL, host_step.GIVE_BACK = write_down("install"), write_down("give back")
    host_step._run_agent = write_down
    host_step._undo = lambda step: write_down(f"undo {{step}}")

    LINES = json.loads(pathlib.Path("lines.json").read_text())

    def plan(step):
        lines = LINES.get(step, ())
        decision = SimpleNamespace(document=json.dumps({{"step": step, "lines": lines}}))
        planned = {{"node": "n", "step": step, "decision": decision}}
        return SimpleNamespace(**planned, lines=lines, is_held=False, unknown=None)

    login = remote.ConnectionArgs(**json.loads(pathlib.Path("login.json").read_text()))
    none, log = ResourceOptions(), RunLog(["n"], [])
    teardown = host_step.Teardown("teardown", plan("agent"), login, none)
    agent = host_step.NodeAgent("agent", plan("agent"), "program", teardown, login, log, none)
    first = host_step.HostStep("first", plan("first"), agent, login, none)
    after = ResourceOptions(depends_on=[first])
    host_step.HostStep("second", plan("second"), agent, login, after, secret=first.stdout)
    host_step.HostStep("stop", plan("stop:qwen"), agent, login, after, token="t-1")
    log.say([])
"""
ALL = ["install", "apply first", "apply second"]


@pytest.fixture
def trace(stack: CommandStack, server: SshServer, tmp_path: Path) -> Path:
    """The lines that the commands write; the stack is up."""
    path = tmp_path / "trace"
    stack.project.write_program(PROGRAM.format(root=str(ROOT), trace=path))
    write_lines(stack, {})
    (stack.project.folder / "login.json").write_text(json.dumps(build_connection(server)))
    assert "6 created" in stack.project.run_well("up", "--yes", "--skip-preview")
    path.write_text("")
    return path


def write_lines(stack: CommandStack, lines: dict[str, list[str]]) -> None:
    """What is said of each step; one with lines differs."""
    (stack.project.folder / "lines.json").write_text(json.dumps(lines))


def find_urn(stack: CommandStack, name: str) -> str:
    return str(stack.list_resources()[name]["urn"])


def replace_tainted(stack: CommandStack, name: str) -> None:
    stack.project.run_well("state", "taint", find_urn(stack, name), "--yes")
    stack.project.run_well("up", "--yes", "--skip-preview")


def test_a_tainted_step_is_undone_and_then_applied(stack: CommandStack, trace: Path) -> None:
    replace_tainted(stack, "first")
    assert trace.read_text().splitlines()[:2] == ["undo first", "apply first"]
    assert "6 unchanged" in stack.project.run_well("up", "--yes", "--skip-preview")


def test_a_step_is_replaced_in_the_same_order_by_option(stack: CommandStack, trace: Path) -> None:
    stack.project.run_well("up", "--yes", "--skip-preview", "--replace", find_urn(stack, "second"))
    assert trace.read_text().splitlines() == ["undo second", "apply second"]


def test_a_tainted_agent_is_installed_again_and_takes_nothing_back(
    stack: CommandStack, trace: Path
) -> None:
    replace_tainted(stack, "agent")
    assert trace.read_text().splitlines() == ["install"]


def test_a_tainted_teardown_gives_the_node_back_and_makes_all_of_it_again(
    stack: CommandStack, trace: Path
) -> None:
    replace_tainted(stack, "teardown")
    lines = trace.read_text().splitlines()
    given_back = lines.index("give back")
    assert sorted(lines[:given_back]) == ["undo first", "undo second", "undo stop:qwen"]
    assert lines[:given_back].index("undo second") < lines[:given_back].index("undo first")
    assert [line for line in lines[given_back + 1 :] if line in ALL] == ALL
    assert "apply stop:qwen" in lines[given_back + 1 :]
    assert not any(line.startswith("undo") for line in lines[given_back + 1 :])
    assert "6 unchanged" in stack.project.run_well("up", "--yes", "--skip-preview")


def test_destroy_gives_the_node_back_once_and_undoes_no_step(
    stack: CommandStack, trace: Path
) -> None:
    stack.project.run_well("destroy", "--yes", "--skip-preview")
    assert trace.read_text().splitlines() == ["give back"]


def test_a_preview_says_what_differs_of_the_targeted_steps_only(
    stack: CommandStack, trace: Path
) -> None:
    write_lines(stack, {"first": ["n first differs"], "second": ["n second differs"]})
    targeted = stack.project.run_well("preview", "--target", find_urn(stack, "first"))
    assert targeted.count("n first differs") == 1
    assert "n second differs" not in targeted
    assert "n second differs" in stack.project.run_well("preview")


def test_an_update_says_what_was_done_of_the_targeted_steps_only(
    stack: CommandStack, trace: Path
) -> None:
    write_lines(stack, {"first": ["n first differs"], "second": ["n second differs"]})
    command = ("up", "--yes", "--skip-preview")
    targeted = stack.project.run_well(*command, "--target", find_urn(stack, "first"))
    assert targeted.count("n first: apply first") == 1
    assert "differs" not in targeted
    assert "n second: " not in targeted
    whole = stack.project.run_well(*command)
    assert "n second: apply second" in whole
    assert "n first: " not in whole
