"""`sparkform forget`: only what is gone, only with consent, with a backup, and nothing else."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sparkform.commands.forget.state import StateDocument, list_resources, parse_name
from tests.unit.commands.conftest import Command
from tests.unit.commands.stacks import write_stack

STATE = Path(__file__).parents[2] / "data" / "state" / "direct-in-swarm.json"
GONE = "spark-2.invalid"


@pytest.fixture
def state(pulumi: Path) -> Path:
    """The state that the stand-in `pulumi` keeps, in which spark-2 lies at a name of nobody's."""
    file = pulumi / "state.json"
    file.write_text(STATE.read_text().replace("10.87.153.12", GONE))
    return file


def list_names(state: Path) -> set[str]:
    document: StateDocument = json.loads(state.read_text())
    return {parse_name(resource["urn"]) for resource in list_resources(document)}


def list_backups(project: Path) -> list[Path]:
    return list(project.glob("cli-before-forgetting-*"))


def build_nodes(host: str = GONE, port: int = 22) -> list[dict[str, object]]:
    head = {"name": "spark-1", "host": "10.87.153.11", "index": 0}
    return [head, {"name": "spark-2", "host": host, "port": port, "index": 1}]


def test_a_lost_node_goes_out_of_the_state_with_a_backup(
    sparkform: Command, project: Path, state: Path
) -> None:
    before = json.loads(state.read_text())
    ran = sparkform("forget", write_stack(project, nodes=build_nodes()), "spark-2", "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert not [name for name in list_names(state) if name.startswith("spark-2")]
    assert "spark-1-fabric_check-0" in list_names(state)
    (backup,) = list_backups(project)
    assert json.loads(backup.read_text()) == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert "sudo python3 /usr/local/lib/sparkform/node.pyz undo --all" in ran.out
    assert "Remove spark-2 from `nodes`" in ran.out


def test_a_node_that_left_the_stack_file_already_is_found_by_its_state(
    sparkform: Command, project: Path, state: Path
) -> None:
    stack = write_stack(project, nodes=build_nodes()[:1], fabric={"topology": "none"})
    ran = sparkform("forget", stack, "spark-2", "--yes")
    assert ran.code == 0
    assert f"spark-2 ({GONE}) will be removed from the state, with 10 resources" in ran.out
    assert "Remove spark-2 from" not in ran.out


def test_without_consent_nothing_is_written(sparkform: Command, project: Path, state: Path) -> None:
    before = state.read_text()
    ran = sparkform("forget", write_stack(project, nodes=build_nodes()), "spark-2")
    assert ran.code == 2
    assert "confirmation required, but stdin is not a terminal" in ran.err
    assert (state.read_text(), list_backups(project)) == (before, [])


def test_a_machine_that_is_on_is_not_forgotten_unless_that_is_said(
    sparkform: Command, project: Path, state: Path
) -> None:
    stack = write_stack(project, nodes=build_nodes("127.0.0.1", 1))
    ran = sparkform("forget", stack, "spark-2", "--yes")
    assert ran.code == 2
    assert "spark-2 is not gone: Connection refused by [127.0.0.1]:1" in ran.err
    assert "spark-2-agent" in list_names(state)
    assert sparkform("forget", stack, "spark-2", "--yes", "--force").code == 0
    assert "spark-2-agent" not in list_names(state)


def test_a_node_that_answers_is_told_to_be_given_back_in_order(
    sparkform: Command, project: Path, state: Path, node_port: int, identity: Path
) -> None:
    stack = write_stack(
        project, nodes=build_nodes("127.0.0.1", node_port), identityFile=str(identity)
    )
    ran = sparkform("forget", stack, "spark-2", "--yes")
    assert ran.code == 2
    assert "remove it from the stack file and run `pulumi up`" in ran.err


@pytest.mark.parametrize(
    ("node", "message"), [("spark-1", "is the head"), ("spark-9", "is not in")]
)
def test_the_head_and_strangers_are_refused(
    sparkform: Command, project: Path, state: Path, node: str, message: str
) -> None:
    before = state.read_text()
    ran = sparkform("forget", write_stack(project, nodes=build_nodes()), node, "--yes")
    assert ran.code == 2
    assert message in ran.err
    assert state.read_text() == before


def test_only_export_and_import_are_called_and_no_secret_is_in_their_words(
    sparkform: Command, project: Path, state: Path
) -> None:
    sparkform("forget", write_stack(project, nodes=build_nodes()), "spark-2", "--yes")
    calls = (state.parent / "calls").read_text().splitlines()
    export = "stack export --stack cli --non-interactive"
    assert calls == [export, export, "stack import --stack cli --non-interactive"]


def test_without_pulumi_the_way_to_it_is_named(sparkform: Command, project: Path) -> None:
    ran = sparkform("forget", write_stack(project, nodes=build_nodes()), "spark-2", "--yes")
    assert ran.code == 2
    assert (
        ran.err == "pulumi: is not on PATH; run `make setup`, which builds .toolchain/bin/pulumi\n"
    )


def test_a_pulumi_that_fails_is_quoted(sparkform: Command, project: Path, pulumi: Path) -> None:
    (pulumi / "pulumi").write_text("#!/bin/sh\necho 'error: no stack named cli' >&2\nexit 255\n")
    ran = sparkform("forget", write_stack(project, nodes=build_nodes()), "spark-2", "--yes")
    assert ran.code == 2
    assert "error: no stack named cli" in ran.err
