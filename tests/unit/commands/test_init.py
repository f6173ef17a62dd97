"""`sparkform init`: no key is trusted unseen, no file is overwritten, what is written is valid."""

from __future__ import annotations

import io
import re
import sys
import time
from pathlib import Path

import pytest

from sparkform.config import load_stack
from tests.support.recorded import UNTOUCHED, load_recording
from tests.unit.commands.conftest import Command
from tests.unit.ssh.ssh_node import Program, answer, serve_node

FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


def answer_as_spark(number: int) -> Program:
    report = load_recording(UNTOUCHED).reports[f"spark-{number}"]
    now = report.model_copy(update={"unix_time_s": time.time()})
    return answer(now.model_dump_json().encode() + b"\n")


def format_login(port: int) -> str:
    return f"nvidia@127.0.0.1:{port}"


def test_an_unknown_key_is_shown_and_refused_where_nobody_can_be_asked(
    sparkform: Command, project: Path, node_port: int, identity: Path
) -> None:
    ran = sparkform("init", format_login(node_port), "--identity-file", identity)
    assert ran.code == 2
    (shown,) = FINGERPRINT.findall(ran.out)
    assert f"run again with --accept {shown}" in ran.err
    assert not (project / "Pulumi.lab.yaml").exists()


def test_an_accepted_key_is_pinned_in_a_valid_file(
    sparkform: Command, project: Path, node_port: int, identity: Path
) -> None:
    first = sparkform("init", format_login(node_port), "--identity-file", identity)
    (shown,) = FINGERPRINT.findall(first.out)
    options = ["--identity-file", identity, "--accept", shown]
    ran = sparkform("init", format_login(node_port), *options)
    assert (ran.code, ran.err) == (0, "")
    declaration = load_stack(project / "Pulumi.lab.yaml")
    assert (declaration.head.name, declaration.head.port, declaration.cluster.user) == (
        "spark-1",
        node_port,
        "nvidia",
    )
    assert declaration.head.host_key is not None
    assert declaration.cluster.fabric.topology == "none"
    assert "assumed: its link leads to a machine that is not in this file" in ran.out
    assert "sparkform doctor Pulumi.lab.yaml" in ran.out
    assert sparkform("doctor", project / "Pulumi.lab.yaml").code == 0


def test_a_fingerprint_of_another_key_accepts_nothing(
    sparkform: Command, project: Path, node_port: int, identity: Path
) -> None:
    other_fingerprint = f"SHA256:{'A' * 43}"
    ran = sparkform(
        "init", format_login(node_port), "--identity-file", identity, "--accept", other_fingerprint
    )
    assert ran.code == 2
    assert not (project / "Pulumi.lab.yaml").exists()


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2), ("\n", 2)])
def test_at_a_terminal_the_user_is_asked_and_no_is_the_default(
    sparkform: Command,
    project: Path,
    node_port: int,
    identity: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    ran = sparkform("init", format_login(node_port), "--identity-file", identity)
    assert ran.code == code
    assert "trust SHA256:" in ran.out
    assert (project / "Pulumi.lab.yaml").exists() == (code == 0)


def test_a_file_that_is_there_is_left_alone_and_no_node_is_asked(
    sparkform: Command, project: Path
) -> None:
    file = project / "Pulumi.lab.yaml"
    file.write_text("mine\n")
    ran = sparkform("init", "nvidia@127.0.0.1:1")
    assert (ran.code, file.read_text()) == (2, "mine\n")
    assert "already exists" in ran.err


def test_a_link_to_nowhere_is_a_file_that_is_there(sparkform: Command, project: Path) -> None:
    (project / "Pulumi.lab.yaml").symlink_to(project / "elsewhere")
    assert sparkform("init", "nvidia@127.0.0.1:1").code == 2
    assert not (project / "elsewhere").exists()


def test_nodes_that_cannot_be_reached_are_all_named_and_nothing_is_written(
    sparkform: Command, project: Path
) -> None:
    ran = sparkform("init", "nvidia@127.0.0.1:1", "nvidia@127.0.0.1:2")
    assert ran.code == 2
    assert [line.partition(": ")[0] for line in ran.err.splitlines()] == [
        "nvidia@127.0.0.1:1",
        "nvidia@127.0.0.1:2",
    ]
    assert list(project.glob("Pulumi.*.yaml")) == []


def test_a_name_that_is_none_of_a_stack_is_refused(sparkform: Command) -> None:
    assert sparkform("init", "nvidia@127.0.0.1", "--stack", "../lab").code == 2


def write_file_of_init(
    sparkform: Command, project: Path, node_port: int, identity: Path
) -> tuple[Path, str]:
    """A stack file of one node, and the fingerprint of its key."""
    first = sparkform("init", format_login(node_port), "--identity-file", identity)
    (shown,) = FINGERPRINT.findall(first.out)
    options = ["--identity-file", identity, "--accept", shown]
    assert sparkform("init", format_login(node_port), *options).code == 0
    return project / "Pulumi.lab.yaml", shown


def test_a_node_is_added_to_a_file_that_is_there(
    sparkform: Command, project: Path, node_port: int, identity: Path
) -> None:
    """The second one answers as the first, so it has its host name: it gets a number."""
    file, shown = write_file_of_init(sparkform, project, node_port, identity)
    before = file.read_text()
    with serve_node(answer_as_spark(1)) as second:
        ran = sparkform("init", format_login(second.port), "--extend", "--accept", shown)
    assert (ran.code, ran.err) == (0, "")
    declaration = load_stack(file)
    assert [node.name for node in declaration.nodes] == ["spark-1", "spark-2"]
    assert [node.index for node in declaration.nodes] == [0, 1]
    assert declaration.cluster.fabric.topology == "direct", "both ports have a link"
    assert "Added spark-2 to Pulumi.lab.yaml, fabric direct in place of none" in ran.out
    topology = "      topology: "
    same_lines = [line for line in before.splitlines() if not line.startswith(topology)]
    assert [line for line in same_lines if line not in file.read_text().splitlines()] == []


def test_a_node_that_is_in_the_file_is_named(
    sparkform: Command, project: Path, node_port: int, identity: Path
) -> None:
    file, _ = write_file_of_init(sparkform, project, node_port, identity)
    before = file.read_text()
    ran = sparkform("init", format_login(node_port), "--extend")
    assert (ran.code, file.read_text()) == (2, before)
    assert "is spark-1 in Pulumi.lab.yaml already" in ran.err


def test_a_node_that_does_not_answer_leaves_the_file_alone(
    sparkform: Command, project: Path, node_port: int, identity: Path
) -> None:
    file, _ = write_file_of_init(sparkform, project, node_port, identity)
    before = file.read_text()
    ran = sparkform("init", "nvidia@127.0.0.1:1", "--extend")
    assert (ran.code, file.read_text()) == (2, before)
    assert ran.err.startswith("nvidia@127.0.0.1:1: ")


def test_how_nodes_are_logged_in_to_is_what_the_file_says(
    sparkform: Command, project: Path
) -> None:
    ran = sparkform(
        "init", "nvidia@127.0.0.1", "--extend", "--identity-file", "k", "--proxy-jump", "j"
    )
    assert ran.code == 2
    assert [line.partition(": ")[0] for line in ran.err.splitlines()] == [
        "--identity-file",
        "--proxy-jump",
    ]
