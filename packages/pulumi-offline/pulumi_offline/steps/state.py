"""Step `state`: the file backend for stacks of simulated racks, with a passphrase of its own."""

from __future__ import annotations

import secrets
from pathlib import Path

from pulumi_offline.files import write_atomically
from pulumi_offline.machine import Machine, compute_digest
from sparkform.errors import InputError, Problem

OWNER_ONLY = 0o600


def compute_key(machine: Machine) -> str:
    return compute_digest([str(machine.layout.state).encode()])


def is_ready(machine: Machine) -> bool:
    return machine.layout.passphrase.is_file()


def make(machine: Machine) -> str:
    """Make the passphrase once. Never a second one for stacks that the first one has sealed."""
    layout = machine.layout
    if is_ready(machine):
        return "as it was"
    layout.state.mkdir(mode=0o700, exist_ok=True)
    sealed = list_stack_files(layout.state)
    if sealed:
        raise InputError(
            [
                Problem(
                    path=str(layout.passphrase),
                    message="is gone, and these stacks were sealed with it",
                    got=", ".join(path.stem for path in sealed),
                    remedy="put it back, or remove .pulumi-state with `rack-down` done first",
                )
            ]
        )
    write_atomically(layout.passphrase, secrets.token_urlsafe(32), OWNER_ONLY)
    return "file backend .pulumi-state with a new passphrase, for rack stacks"


def list_stack_files(state: Path) -> list[Path]:
    return sorted((state / ".pulumi" / "stacks").rglob("*.json"))
