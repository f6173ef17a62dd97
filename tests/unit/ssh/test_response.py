"""What a login prints beside the answer, and in whose words it fails."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.report.rack_report import NodeError
from sparkform.ssh.response import ProgramOutput, find_document, parse_output
from sparkform.ssh.session import encode_request
from sparkform.ssh.target import Target

TARGET = Target(name="spark-1", host="10.0.0.1", user="ada")
DOCUMENT = b'{"version": 1}'


@pytest.mark.parametrize(
    "stdout",
    [
        DOCUMENT,
        b"Welcome to DGX Spark!\n" + DOCUMENT + b"\n",
        b"Welcome! " + DOCUMENT + b"\n",
        DOCUMENT + b"\nlogged out of spark-1\n",
        b"\x1b[1mhello\x1b[0m\r\n" + DOCUMENT + b"\n\n",
    ],
)
def test_login_files_may_print_around_the_answer(stdout: bytes) -> None:
    assert find_document(TARGET, ProgramOutput(0, stdout, b"")) == DOCUMENT


def test_an_answer_without_a_document_is_damaged() -> None:
    error = parse_output(TARGET, ProgramOutput(0, b"Welcome!\n", b""))
    assert isinstance(error, NodeError)
    assert error.kind == "damaged"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no_shell", "env: Command not found."),
        ("no_shell", "fish: Unknown command: env\nfish: \nenv LC_ALL=C sudo -n python3 -\n^~^"),
        ("no_shell", "-rbash: /usr/bin/env: restricted: cannot specify `/' in command names"),
        ("sudo", "sudo: a password is required"),
        ("sudo", "sudo: Ein Passwort ist notwendig"),
        ("sudo", "ada ist nicht in der sudoers-Datei."),
        ("sudo", "sudo: sorry, you must have a tty to run sudo"),
        ("sudo", "sudo-rs: interactive authentication is required"),
        ("sudo", "sudo: Account or password is expired, reset your password and try again"),
        ("expired", "You are required to change your password immediately (administrator)."),
        ("expired", "Password change required but no TTY available."),
        ("expired", "Your account has expired; please contact your system administrator."),
        ("no_shell", "This account is currently not available."),
        ("no_shell", "bash: line 1: env: command not found"),
        ("no_shell", "fish: Unknown command: env"),
        ("python_missing", "sudo: python3: command not found"),
        ("failed", "Segmentation fault"),
    ],
)
def test_each_failure_is_named_for_what_it_is(kind: str, message: str) -> None:
    error = parse_output(TARGET, ProgramOutput(1, b"", message.encode()))
    assert isinstance(error, NodeError)
    assert error.kind == kind


@given(text=st.text())
def test_a_request_comes_whole_through_any_login_shell(text: str) -> None:
    """Single quotes hold it in sh, csh and fish alike (seen with tcsh 6.24 and fish 3.6)."""
    encoded = encode_request({"text": text})
    assert json.loads(encoded) == {"text": text}
    assert not {"'", "!", "\n"} & {*encoded}
    assert "\\\\" not in encoded


@pytest.mark.parametrize(
    ("message", "cause", "remedy"),
    [
        ("sudo: /etc/sudo.conf is owned by uid 1000, should be 0", "owned by uid 1000", "visudo"),
        (
            "sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid'",
            "nosuid",
            "visudo",
        ),
        (
            "/etc/sudoers.d/90-ada:1:19: syntax error\nsudo: no valid sudoers sources found",
            "syntax error",
            "visudo",
        ),
        ("OSError: [Errno 28] No space left on device: '/var/lib/x'", "No space left", "df -h"),
        ("OSError: [Errno 30] Read-only file system: '/run/x'", "Read-only", "fsck"),
        ("OSError: [Errno 12] Cannot allocate memory", "allocate memory", "free -h"),
    ],
)
def test_a_broken_sudo_and_a_machine_that_is_full_are_told_as_such(
    message: str, cause: str, remedy: str
) -> None:
    error = parse_output(TARGET, ProgramOutput(1, b"", message.encode()))
    assert isinstance(error, NodeError)
    assert cause in error.what
    assert remedy in error.remedy
    assert "Passwordless sudo is not set up" not in error.what
    assert "3.10 or newer" not in error.remedy
