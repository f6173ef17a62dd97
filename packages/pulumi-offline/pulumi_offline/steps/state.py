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
        return "kept"
    layout.state.mkdir(mode=0o700, exist_ok=True)
    sealed = list_stacks(layout.state)
    if sealed:
        raise InputError(
            [
                Problem(
                    path=str(layout.passphrase),
                    message="missing, and existing stacks are encrypted with it",
                    got=", ".join(path.stem for path in sealed),
                    remedy="restore it, or run `make rack-down` and remove .pulumi-state",
                )
            ]
        )
    write_atomically(layout.passphrase, secrets.token_urlsafe(32), OWNER_ONLY)
    return "file backend .pulumi-state, new passphrase; for simulated racks only"


def list_stacks(state: Path) -> list[Path]:
    return sorted((state / ".pulumi" / "stacks").rglob("*.json"))
