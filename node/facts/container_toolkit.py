"""Fact `container_toolkit`: {"version": "1.18.0"}, of the NVIDIA Container Toolkit."""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact

_VERSION = re.compile(r"CLI version ([0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.~-]*)", re.ASCII)


class ToolkitFact(TypedDict):
    version: str


def read(reader: FactReader, request: FactRequest) -> ToolkitFact:
    return parse(version=reader.run_command("nvidia-ctk", "--version"))


def parse(version: str) -> ToolkitFact:
    match = _VERSION.search(version)
    if not match:
        raise UnreadableFact("nvidia-ctk: no version in the answer")
    return {"version": match.group(1)}
