"""Fact `login`: the user that the control side logs in as.

    {"user": "nvidia", "uid": 1000, "groups": ["docker", "nvidia", "sudo"],
     "linger": true, "passwordless_sudo": true}

`passwordless_sudo` is what sudoers says (`sudo -l -U`), not that this run came through: sudo
remembers a password for minutes, and the next run would fail.
"""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact

_ID = re.compile(r"uid=([0-9]+)\(([^)]*)\) gid=[0-9]+\(([^)]*)\)(?: groups=(.*))?", re.ASCII)
_GROUP = re.compile(r"[0-9]+\(([^)]+)\)", re.ASCII)
_RULE = re.compile(r"\([^)]*\)\s*((?:[A-Z_]+:\s*)*)ALL\s*", re.ASCII)


class LoginFact(TypedDict):
    user: str
    uid: int
    groups: list[str]
    linger: bool
    passwordless_sudo: bool


def read(reader: FactReader, request: FactRequest) -> LoginFact:
    user = request.user
    return parse(
        user=user,
        identity=reader.run_command("id", "--", user),
        sudo=reader.run_command_or_none("sudo", "-n", "-l", "-U", user),
        linger=bool(reader.list_paths(f"/var/lib/systemd/linger/{user}")),
    )


def parse(user: str, identity: str, sudo: str | None, linger: bool) -> LoginFact:
    match = _ID.match(identity.strip())
    if not match or len(match.group(1)) > 10:
        raise UnreadableFact("id: no user in the answer")
    uid = int(match.group(1))
    return {
        "user": user,
        "uid": uid,
        "groups": sorted(set(_GROUP.findall(match.group(4) or ""))),
        "linger": linger,
        "passwordless_sudo": uid == 0 or _is_passwordless(sudo or ""),
    }


def _is_passwordless(sudo: str) -> bool:
    """The last rule for ALL commands decides, as in sudoers."""
    rules = [match for match in map(_RULE.fullmatch, map(str.strip, sudo.splitlines())) if match]
    return bool(rules) and "NOPASSWD:" in rules[-1].group(1)
