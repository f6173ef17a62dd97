"""Which key the plugin is given, and what is refused before it is used."""

from __future__ import annotations

import socket
from pathlib import Path

import asyncssh
import pytest

from components.connection import choose_private_key_file
from sparkform.report.rack_report import LoginKey
from sparkform.ssh.login_keys import find_stale_agent, needs_passphrase

FILE = Path("~/.ssh/id_ed25519")


@pytest.mark.parametrize(
    ("login", "identity_file", "expected"),
    [
        ("agent", FILE, None),
        ("agent", None, None),
        ("identity_file", FILE, FILE),
        # Recorded facts of an older version do not say; no file, no key.
        (None, FILE, FILE),
        (None, None, None),
    ],
)
def test_the_agent_comes_first_and_then_the_identity_file(
    login: LoginKey | None, identity_file: Path | None, expected: Path | None
) -> None:
    assert choose_private_key_file(login, identity_file) == expected


def test_an_agent_that_does_not_answer_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    problem = str(find_stale_agent())
    assert "names an SSH agent that does not answer" in problem
    assert "unset SSH_AUTH_SOCK" in problem


def test_an_agent_that_answers_and_none_at_all_are_no_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        assert find_stale_agent() is None
    monkeypatch.setenv("SSH_AUTH_SOCK", "")
    assert find_stale_agent() is None
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert find_stale_agent() is None


# 50 rounds of key derivation are the fewest without a warning, instead of 128.
@pytest.mark.parametrize(("form", "rounds"), [("openssh", 50), ("pkcs8-pem", 2048)])
def test_a_passphrase_goes_only_with_a_key_that_has_one(form: str, rounds: int) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    assert not needs_passphrase(key.export_private_key(form).decode())
    assert needs_passphrase(key.export_private_key(form, "open sesame", rounds=rounds).decode())
