"""Fact `ports`: what listens on this node.

[{"protocol": "tcp", "address": "0.0.0.0", "port": 22, "process": "sshd"}]
"""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_number

_PROCESS = re.compile(r'users:\(\("([^"]+)"')
_PROTOCOLS = {"tcp", "udp"}


class PortFact(TypedDict):
    protocol: str
    address: str
    port: int
    process: str | None


def read(reader: FactReader, request: FactRequest) -> list[PortFact]:
    return parse(sockets=reader.run_command("ss", "-H", "-l", "-n", "-t", "-u", "-p"))


def parse(sockets: str) -> list[PortFact]:
    lines = [line for line in sockets.splitlines() if line.strip()]
    ports = [port for port in map(_parse_port, lines) if port]
    if lines and not ports:
        raise UnreadableFact("ss: no listening socket in the answer")
    return ports


def _parse_port(line: str) -> PortFact | None:
    cells = line.split(None, 6)
    if len(cells) < 6 or cells[0] not in _PROTOCOLS:
        return None
    address, _, digits = cells[4].rpartition(":")
    port = parse_number(digits)
    if port is None or not 0 < port < 65536:
        return None
    process = _PROCESS.search(cells[6]) if len(cells) == 7 else None
    return {
        "protocol": cells[0],
        "address": address.strip("[]") or "*",
        "port": port,
        "process": process.group(1) if process else None,
    }
