"""Fact `login`: the user that the control side logs in as.

    {"user": "nvidia", "uid": 1000, "gid": 1000, "groups": ["docker", "nvidia", "sudo"],
     "linger": true, "passwordless_sudo": true, "address": "10.0.0.11"}

`passwordless_sudo` is what sudoers says (`sudo -l -U`), not that this run came through: sudo
remembers a password for minutes, and the next run would fail. `address` is the node's own end of
the login that asks (SSH_CONNECTION, ssh(1)), null where nobody logged in.
"""

from __future__ import annotations

import os
import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact

CONNECTION = "SSH_CONNECTION"
MOST_PARENTS = 8
_ID = re.compile(r"uid=([0-9]+)\(([^)]*)\) gid=([0-9]+)\(([^)]*)\)(?: groups=(.*))?", re.ASCII)
_GROUP = re.compile(r"[0-9]+\(([^)]+)\)", re.ASCII)
_RULE = re.compile(r"\([^)]*\)\s*((?:[A-Z_]+:\s*)*)ALL\s*", re.ASCII)


class LoginFact(TypedDict):
    user: str
    uid: int
    gid: int
    groups: list[str]
    linger: bool
    passwordless_sudo: bool
    address: str | None


def read(reader: FactReader, request: FactRequest) -> LoginFact:
    user = request.user
    return parse(
        user=user,
        identity=reader.run_command("id", "--", user),
        sudo=reader.run_command_or_none("sudo", "-n", "-l", "-U", user),
        linger=bool(reader.list_paths(f"/var/lib/systemd/linger/{user}")),
        connection=_find_connection(reader),
    )


def _find_connection(reader: FactReader) -> str | None:
    """SSH_CONNECTION of the nearest parent that has it: sudo takes it out of our environment."""
    number = str(os.getppid())
    for _ in range(MOST_PARENTS):
        environment = reader.read_files([f"/proc/{number}/environ", f"/proc/{number}/stat"])
        for assignment in environment.get(f"/proc/{number}/environ", "").split("\0"):
            if assignment.startswith(f"{CONNECTION}="):
                return assignment.partition("=")[2]
        # The name, in brackets, may hold blanks; the parent is the second word after it (proc(5)).
        words = environment.get(f"/proc/{number}/stat", "").rpartition(")")[2].split()
        number = words[1] if len(words) > 1 else "0"
    return None


def parse(
    user: str, identity: str, sudo: str | None, linger: bool, connection: str | None = None
) -> LoginFact:
    match = _ID.match(identity.strip())
    if not match or max(len(match.group(1)), len(match.group(3))) > 10:
        raise UnreadableFact("id: no user in the answer")
    uid = int(match.group(1))
    return {
        "user": user,
        "uid": uid,
        "gid": int(match.group(3)),
        "groups": sorted(set(_GROUP.findall(match.group(5) or ""))),
        "linger": linger,
        "passwordless_sudo": uid == 0 or _is_passwordless(sudo or ""),
        "address": _parse_own_end(connection or ""),
    }


def _parse_own_end(connection: str) -> str | None:
    """ "192.168.1.5 50210 10.0.0.11 22": the other end with its port, then ours."""
    words = connection.split()
    return words[2] if len(words) == 4 else None


def _is_passwordless(sudo: str) -> bool:
    """The last rule for ALL commands decides, as in sudoers."""
    rules = [match for match in map(_RULE.fullmatch, map(str.strip, sudo.splitlines())) if match]
    return bool(rules) and "NOPASSWD:" in rules[-1].group(1)
