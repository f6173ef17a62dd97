"""What Pulumi does with steps and ranks of which too little was read to change them: nothing.

The resources are the product's own, over SSH to this machine, as in test_replacement; the second
run of the program has other documents, another token and other commands.
"""

from __future__ import annotations

import json
import textwrap
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
    from components import host_step, ranks

    run = json.loads(pathlib.Path("run.json").read_text())

    def write_down(words):
        return f"echo '{{words}} {{run['number']}}' >> {trace}; cat > /dev/null"

    host_step._run_agent = write_down
    host_step._undo = lambda step: write_down(f"undo {{step}}")

    def plan(step):
        document = json.dumps({{"step": step, "number": run["number"]}})
        decision = SimpleNamespace(document=document)
        fields = dict(node="n", step=step, decision=decision, lines=())
        return SimpleNamespace(**fields, is_held=bool(run["unknown"]), unknown=run["unknown"])

    login = remote.ConnectionArgs(**json.loads(pathlib.Path("login.json").read_text()))
    options = ResourceOptions()

    class Step(host_step._NodeResource):
        def __init__(self, name, planned, triggers=()):
            command = host_step.NodeCommand(
                update=write_down(f"apply {{name}}"), delete=write_down(f"undo {{name}}"),
                stdin=planned.decision.document, triggers=triggers,
            )
            super().__init__(name, planned, command, login, options)

    Step("first", plan("first"))
    stop = Step("stop", plan("stop:qwen"), [f"token {{run['number']}}"])
    rank_run = ranks.RankRun(
        token="t", is_new=False, is_unknown=bool(run["unknown"]), owner="o",
        stop_steps={{"n": stop}}, parent=None, head="n",
    )
    remote.Command(
        "rank", connection=login, create=write_down("rank"), delete=write_down("end rank"),
        triggers=[str(run["number"])], opts=rank_run.build_rank_options("n", None),
    )
    if run["number"] > 1:
        Step("late", plan("late"))
"""


@pytest.fixture
def trace(stack: CommandStack, server: SshServer, tmp_path: Path) -> Path:
    """The lines that the commands write; the stack is up."""
    path = tmp_path / "trace"
    stack.project.write_program(PROGRAM.format(root=str(ROOT), trace=path))
    (stack.project.folder / "login.json").write_text(json.dumps(build_connection(server)))
    write_run(stack, 1, None)
    stack.project.run_well("up", "--yes", "--skip-preview")
    path.write_text("")
    return path


def write_run(stack: CommandStack, number: int, unknown: str | None) -> None:
    text = json.dumps({"number": number, "unknown": unknown})
    (stack.project.folder / "run.json").write_text(text)


def test_what_is_unknown_is_neither_updated_nor_replaced(stack: CommandStack, trace: Path) -> None:
    write_run(stack, 2, "no answer in 4.8 s")
    output = stack.project.run_well("up", "--yes", "--skip-preview")
    assert trace.read_text() == ""
    assert "+ 1 created" in output
    for change in ("updated", "replaced", "deleted"):
        assert change not in output


def test_what_is_known_again_is_done_then(stack: CommandStack, trace: Path) -> None:
    write_run(stack, 2, "no answer in 4.8 s")
    stack.project.run_well("up", "--yes", "--skip-preview")
    write_run(stack, 3, None)
    stack.project.run_well("up", "--yes", "--skip-preview")
    lines = trace.read_text().splitlines()
    assert {"apply first 3", "apply late 3", "rank 3"} <= set(lines)


def test_what_was_registered_before_the_program_ends_badly_is_done(
    stack: CommandStack, trace: Path
) -> None:
    """As components.judgement ends a run that held something."""
    ending = "raise pulumi.RunError('1 of the parts was not read')"
    program = PROGRAM.format(root=str(ROOT), trace=trace)
    stack.project.write_program(f"import pulumi\n{textwrap.dedent(program)}\n{ending}\n")
    write_run(stack, 2, "no answer in 4.8 s")
    result = stack.project.run("up", "--yes", "--skip-preview")
    assert result.returncode != 0
    assert "1 of the parts was not read" in result.stdout
    write_run(stack, 3, None)
    assert stack.project.run("up", "--yes", "--skip-preview").returncode != 0
    assert "apply late 3" in trace.read_text()
