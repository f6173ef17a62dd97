"""The form in which Docker hands a log over: frames of one message each, behind its time. Pure.

Docker Engine API, ContainerAttach, "stream format": a byte for the stream, three zeroes, the length
in four bytes. A container with a terminal has no frames.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from node.ranks.rank import LogLine

HEADER = struct.Struct(">BxxxL")
BREAKS = re.compile(r"[\r\n]+")


def parse_lines(data: bytes, has_terminal: bool) -> list[LogLine]:
    """Progress bars go back to the start of their line: each of their states is a line here."""
    messages = data.splitlines() if has_terminal else _split_messages(data)
    return [line for message in messages for line in _split_lines(message)]


def _split_messages(data: bytes) -> Iterator[bytes]:
    offset = 0
    while offset + HEADER.size <= len(data):
        _, length = HEADER.unpack_from(data, offset)
        offset += HEADER.size
        yield data[offset : offset + length]
        offset += length


def _split_lines(message: bytes) -> Iterator[LogLine]:
    stamp, _, text = message.decode("utf-8", "replace").partition(" ")
    for part in BREAKS.split(text.strip("\r\n")):
        yield LogLine(stamp, part)
