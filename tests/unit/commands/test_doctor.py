"""`sparkform doctor`: exit codes, the tables, the JSON form, facts that are kept."""

from __future__ import annotations

import json
from pathlib import Path

from sparkform.report.recording import load_facts
from tests.support.recorded import FOLDER
from tests.unit.commands.conftest import Command
from tests.unit.commands.stacks import write_stack

UNTOUCHED = FOLDER / "direct-untouched.json"
DRIFTED = FOLDER / "direct-one-half-at-mtu-1500.json"


def test_nothing_that_fails_is_exit_0_and_something_is_exit_1(
    sparkform: Command, project: Path
) -> None:
    stack = write_stack(project)
    assert sparkform("doctor", stack, "--facts", UNTOUCHED).code == 0
    assert sparkform("doctor", stack, "--facts", DRIFTED).code == 1


def test_rows_stand_node_by_node_with_the_fix_below(sparkform: Command, project: Path) -> None:
    output = sparkform("doctor", write_stack(project), "--facts", DRIFTED).out
    lines = [line.strip() for line in output.splitlines()]
    assert lines.index("spark-1") < lines.index("spark-2")
    (position,) = [
        n for n, line in enumerate(lines) if "MTU of enP2p1s0f0np0 is 1500, will" in line
    ]
    assert lines[position].split()[:2] == ["fail", "drift"]
    assert lines[position + 1] == "→ `pulumi up`"


def test_the_json_form_has_the_keys_that_are_documented(sparkform: Command, project: Path) -> None:
    ran = sparkform("doctor", write_stack(project), "--facts", DRIFTED, "--json")
    document = json.loads(ran.out)
    assert list(document) == ["stack", "healthy", "checks"]
    assert (document["stack"], document["healthy"], ran.code) == ("sparkform/cli", False, 1)
    assert {tuple(row) for row in document["checks"]} == {
        ("node", "name", "status", "message", "fix")
    }
    assert {row["status"] for row in document["checks"]} == {"ok", "warn", "fail"}


def test_live_facts_are_judged_and_kept(
    sparkform: Command, project: Path, node_port: int, identity: Path
) -> None:
    node = {"name": "spark-1", "host": "127.0.0.1", "port": node_port}
    stack = write_stack(
        project,
        nodes=[node],
        identityFile=str(identity),
        fabric={"topology": "none"},
        swarm={"enabled": False},
    )
    facts_file = project / "facts.json"
    unknown = sparkform("doctor", stack, "--save", facts_file, "--json")
    (row,) = [check for check in json.loads(unknown.out)["checks"] if check["status"] == "fail"]
    assert (unknown.code, row["name"]) == (1, "login")
    key = load_facts(facts_file).nodes["spark-1"].host_key
    stack = write_stack(
        project,
        nodes=[{**node, "hostKey": key}],
        identityFile=str(identity),
        fabric={"topology": "none"},
        swarm={"enabled": False},
    )
    assert sparkform("doctor", stack, "--save", facts_file).code == 0
    assert load_facts(facts_file).reports["spark-1"].facts.claim is None


def test_bad_input_is_exit_2_without_a_traceback(sparkform: Command, project: Path) -> None:
    stack = write_stack(project, user="Nvidia User")
    ran = sparkform("doctor", stack)
    assert ran.code == 2
    assert ran.err.startswith("cluster.user: ")
    assert ran.out == ""
