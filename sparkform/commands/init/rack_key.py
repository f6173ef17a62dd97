"""The login key of a simulated rack, where that runs on this machine: nobody else has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sparkform.commands.init.logins import NodeLogin

RACKS = Path("/run/sparkform/rack")
"""A folder a rack, with its key and the host keys of its nodes (packages/sparkrack, paths.py)."""


def find_rack_key(logins: Sequence[NodeLogin], racks: Path = RACKS) -> Path | None:
    """That of the rack whose nodes all these are."""
    hosts = {login.host for login in logins}
    for known_hosts in sorted(racks.glob("*/known_hosts")):
        key = known_hosts.with_name("id_ed25519")
        if key.is_file() and hosts <= _read_hosts(known_hosts):
            return key
    return None


def _read_hosts(known_hosts: Path) -> set[str]:
    lines = known_hosts.read_text(errors="replace").splitlines()
    return {host for line in lines for host in line.partition(" ")[0].split(",")}
