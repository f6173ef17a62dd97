"""What the command plugin needs to know about keys and agent before it may be used."""

from __future__ import annotations

import os
import socket

import asyncssh

from sparkform.errors import Problem

AGENT_ENVIRONMENT = "SSH_AUTH_SOCK"
ANSWER_S = 2.0


def find_stale_agent() -> Problem | None:
    """The named agent, if it does not answer: each of the plugin's commands would fail on it, even
    where it is given a key (docs/toolchain.md), and only the user can take the name away."""
    path = os.environ.get(AGENT_ENVIRONMENT)
    return None if not path or _is_answering(path) else build_agent_problem(path)


def build_agent_problem(path: str) -> Problem:
    return Problem(
        path=AGENT_ENVIRONMENT,
        message="names an SSH agent that does not answer",
        got=path,
        because="Pulumi's command plugin asks each agent that is named, even where it has a key",
        remedy=f"`unset {AGENT_ENVIRONMENT}`, or start the agent anew",
    )


def _is_answering(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_S)
        try:
            client.connect(path)
        except OSError:
            return False
    return True


def needs_passphrase(private_key: str) -> bool:
    """Whether this key's text is encrypted: the plugin fails on a passphrase that is not needed."""
    try:
        asyncssh.import_private_key(private_key)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        return True
    return False
