"""The passphrase is asked for where a key needs one and nowhere else, and comes from the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sparkform.commands.declared import load_declared_stack
from sparkform.commands.live_report import find_passphrase_source, observe_targets
from sparkform.ssh.target import Target
from tests.unit.commands.conftest import Command
from tests.unit.commands.stacks import write_stack
from tests.unit.ssh.ssh_node import USER, format_public_key, generate_key

SECRET = "open sesame"


def build_target(port: int, identity: Path) -> Target:
    return Target(
        name="spark-1",
        host="127.0.0.1",
        port=port,
        user=USER,
        host_key=format_public_key(generate_key()),
        identity_file=identity,
    )


@pytest.fixture(scope="session")
def locked_key() -> bytes:
    """The node's key, under a passphrase, in the form that costs the least time to open."""
    return generate_key(number=1).export_private_key("pkcs8-pem", passphrase=SECRET, rounds=2048)


@pytest.fixture
def locked(project: Path, locked_key: bytes) -> Path:
    file = project / "locked"
    file.write_bytes(locked_key)
    return file


def fail_if_asked() -> str | None:
    raise AssertionError("nobody needs a passphrase here")


def test_a_plain_key_and_a_missing_one_ask_for_nothing(
    project: Path, node_port: int, identity: Path
) -> None:
    assert observe_targets([build_target(node_port, identity)], fail_if_asked).errors == {}
    missing = observe_targets([build_target(node_port, project / "nowhere")], fail_if_asked).errors[
        "spark-1"
    ]
    assert missing.kind == "identity"


def test_a_locked_key_is_opened_by_what_is_answered(node_port: int, locked: Path) -> None:
    assert observe_targets([build_target(node_port, locked)], lambda: SECRET).errors == {}


def test_a_wrong_answer_and_none_at_all_leave_the_nodes_error(node_port: int, locked: Path) -> None:
    for ask in (lambda: "wrong", lambda: None):
        observation = observe_targets([build_target(node_port, locked)], ask)
        assert observation.errors["spark-1"].kind == "identity"


def test_the_stacks_own_secret_is_taken_through_pulumi(project: Path, pulumi: Path) -> None:
    stack = write_stack(project, identityFile="locked")
    salted = stack.read_text() + "  sparkform:sshKeyPassphrase:\n    secure: v1:abc\n"
    stack.write_text(salted)
    assert find_passphrase_source(load_declared_stack(stack))() == SECRET
    call = "config get sparkform:sshKeyPassphrase --stack cli --non-interactive"
    assert (pulumi / "calls").read_text().splitlines() == [call]


def test_without_a_configured_secret_and_a_terminal_there_is_none(
    project: Path, pulumi: Path
) -> None:
    assert (
        find_passphrase_source(load_declared_stack(write_stack(project, identityFile="locked")))()
        is None
    )
    assert not (pulumi / "calls").exists()


def test_plan_opens_a_locked_key_with_the_stacks_secret(
    sparkform: Command, project: Path, pulumi: Path, node_port: int, locked: Path
) -> None:
    node = {
        "name": "spark-1",
        "host": "127.0.0.1",
        "port": node_port,
        "hostKey": format_public_key(generate_key()),
    }
    block: dict[str, Any] = {"fabric": {"topology": "none"}, "swarm": {"enabled": False}}
    stack = write_stack(project, nodes=[node], identityFile=str(locked), **block)
    closed = sparkform("plan", stack)
    assert closed.code == 2
    assert "Cannot use the key" in closed.err
    stack.write_text(stack.read_text() + "  sparkform:sshKeyPassphrase: {secure: v1:abc}\n")
    assert sparkform("plan", stack).code == 0
