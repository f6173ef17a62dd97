"""Fact `container_toolkit`: {"version": "1.18.0"}, of the NVIDIA Container Toolkit."""

from __future__ import annotations

import re

from node.facts.reading import FactReader, Request, UnreadableFact

_VERSION = re.compile(r"CLI version ([0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.~-]*)", re.ASCII)


def read(reader: FactReader, request: Request) -> object:
    return parse(version=reader.command("nvidia-ctk", "--version"))


def parse(version: str) -> object:
    match = _VERSION.search(version)
    if not match:
        raise UnreadableFact("nvidia-ctk: no version in the answer")
    return {"version": match.group(1)}
