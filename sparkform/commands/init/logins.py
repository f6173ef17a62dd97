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
class NodeLogin:
    """How one node is logged in to."""

    user: str
    host: str
    port: int = 22

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + (f":{self.port}" if self.port != 22 else "")


def parse_logins(arguments: Sequence[str]) -> tuple[NodeLogin, ...]:
    """In the order given: the first one is the head. Raises InputError with every problem."""
    parsed = [_parse_login(argument) for argument in arguments]
    problems = [problem for problem in parsed if isinstance(problem, Problem)]
    logins = [login for login in parsed if isinstance(login, NodeLogin)]
    endpoints = [(login.host, login.port) for login in logins]
    problems += [
        Problem(path=str(login), message="is repeated")
        for position, login in enumerate(logins)
        if (login.host, login.port) in endpoints[:position]
    ]
    if not 1 <= len(arguments) <= MOST_NODES:
        allowed = f"one to {MOST_NODES} nodes"
        problems.append(
            Problem(
                path="USER@HOST",
                message="has the wrong number of values",
                got=str(len(arguments)),
                allowed=allowed,
            )
        )
    if problems:
        raise InputError(problems)
    return tuple(logins)


def _parse_login(argument: str) -> NodeLogin | Problem:
    match = LOGIN.fullmatch(argument)
    port = int(match["port"] or 22) if match else 0
    if match is None or not 1 <= port <= LARGEST_PORT:
        return Problem(
            path="USER@HOST",
            message="is not a login",
            got=argument,
            allowed="user@host or user@host:port, an IPv6 address in brackets",
        )
    return NodeLogin(match["user"], match["v6"] or match["host"], port)
