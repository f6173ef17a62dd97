"""Fact `ports`: what listens on this node.

[{"protocol": "tcp", "address": "0.0.0.0", "port": 22, "process": "sshd"}]
"""

from __future__ import annotations

import re

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import number

_PROCESS = re.compile(r'users:\(\("([^"]+)"')
_PROTOCOLS = {"tcp", "udp"}


def read(look: Look, request: Request) -> object:
    return parse(sockets=look.command("ss", "-H", "-l", "-n", "-t", "-u", "-p"))


def parse(sockets: str) -> object:
    lines = [line for line in sockets.splitlines() if line.strip()]
    found = [port for port in map(_port, lines) if port]
    if lines and not found:
        raise Unreadable("ss: no listening socket in the answer")
    return found


def _port(line: str) -> dict[str, object] | None:
    words = line.split(None, 6)
    if len(words) < 6 or words[0] not in _PROTOCOLS:
        return None
    address, _, digits = words[4].rpartition(":")
    port = number(digits)
    if port is None or not 0 < port < 65536:
        return None
    process = _PROCESS.search(words[6]) if len(words) == 7 else None
    return {
        "protocol": words[0],
        "address": address.strip("[]") or "*",
        "port": port,
        "process": process.group(1) if process else None,
    }
