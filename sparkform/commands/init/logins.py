"""The nodes that a user names on the command line: USER@HOST[:PORT]. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sparkform.config.cluster import MOST_NODES
from sparkform.errors import InputError, Problem

LOGIN = re.compile(r"(?P<user>[^@\s]+)@(\[(?P<v6>[^\]\s]+)\]|(?P<host>[^:\s]+))(:(?P<port>\d+))?")
LARGEST_PORT = 65535


@dataclass(frozen=True)
class Login:
    """One node as it is logged in to."""

    user: str
    host: str
    port: int = 22

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + (f":{self.port}" if self.port != 22 else "")


def read_logins(words: Sequence[str]) -> tuple[Login, ...]:
    """In the order given: the first one is the head. Raises InputError with every problem."""
    found = [_read(word) for word in words]
    problems = [one for one in found if isinstance(one, Problem)]
    logins = [one for one in found if isinstance(one, Login)]
    places = [(one.host, one.port) for one in logins]
    problems += [
        Problem(path=str(one), what="is given twice")
        for at, one in enumerate(logins)
        if (one.host, one.port) in places[:at]
    ]
    if not 1 <= len(words) <= MOST_NODES:
        allowed = f"one to {MOST_NODES} nodes"
        problems.append(
            Problem(path="USER@HOST", what="too many", got=str(len(words)), allowed=allowed)
        )
    if problems:
        raise InputError(problems)
    return tuple(logins)


def _read(word: str) -> Login | Problem:
    found = LOGIN.fullmatch(word)
    port = int(found["port"] or 22) if found else 0
    if found is None or not 1 <= port <= LARGEST_PORT:
        return Problem(
            path="USER@HOST",
            what="is not a login",
            got=word,
            allowed="user@host or user@host:port, an IPv6 address in brackets",
        )
    return Login(found["user"], found["v6"] or found["host"], port)
